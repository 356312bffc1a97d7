"""What it takes to believe the suite: clean runs that stay clean, runs that are killed, counted examples of every property."""
