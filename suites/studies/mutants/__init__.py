"""Mutation testing: faults drawn at random from a grammar, planted in an outside backend, and the promises that find them."""
