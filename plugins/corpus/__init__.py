"""A user's own corpus of any size, compared part by part: what a cell changes, and what no longer matches a store."""
