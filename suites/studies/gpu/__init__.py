"""The record of a GPU: all that is to be known of it, by one command within some minutes."""
