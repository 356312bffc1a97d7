"""What models promise as members of their families."""
