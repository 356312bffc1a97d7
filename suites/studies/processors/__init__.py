"""The CPU matrix on every kind of processor that can be had or played."""
