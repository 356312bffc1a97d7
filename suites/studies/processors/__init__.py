"""The CPU matrix on every kind of processor that is available, simulated by switches, or emulated."""
