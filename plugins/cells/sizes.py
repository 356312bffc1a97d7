"""In how many rows a call whole sets are encoded: every size that clients send, rising, falling and in random order."""

from collections.abc import Iterator

import numpy as np

# One row, powers of two with their neighbours (where kernels and padding change), odd sizes, and a client's round number.
SIZES = (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 100)


def batches(rows: int) -> Iterator[slice]:
    """Consecutive parts of `rows` rows: SIZES rising, then falling, then shuffled again and again. The same in every run."""
    start = 0
    for size in _sizes():
        if start >= rows:
            return
        yield slice(start, min(start + size, rows))
        start += size


def _sizes() -> Iterator[int]:
    yield from SIZES
    yield from reversed(SIZES)
    rng = np.random.default_rng(0)
    while True:
        yield from rng.permutation(SIZES).tolist()
