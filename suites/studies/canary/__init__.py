"""How much a canary sees of what the whole suite sees, and that it raises no alarm."""
