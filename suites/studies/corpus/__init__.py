"""A corpus of generated scenes, compared while workers and whole runs are killed: every way gives the same answer."""
