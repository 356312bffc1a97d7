"""Tries the suite in combinations of Python and library versions, each in an environment of its own."""
