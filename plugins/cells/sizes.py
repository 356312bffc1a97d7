"""In how many rows a call whole sets are encoded: every size that clients send, rising, falling and in random order."""

from collections.abc import Iterator, Sequence

import numpy as np

from fixtures.registry import preprocessors
from fixtures.truth import REFERENCE

# One row, powers of two with their neighbours (where kernels and padding change), odd sizes, and a client's round number.
SIZES = (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 100)
FALLING = (9, 8, 7, 5, 3, 2, 1)
GROUP = 8  # other sizes come in random order among so many neighbours, small ones first: clients send these more often


def batches(rows: int, before: Sequence[int] = ()) -> Iterator[slice]:
    """Consecutive parts of `rows` rows; the same in every run.

    The sizes are SIZES, then FALLING, then all others up to 100. A set goes on with the size at which the last of those
    `before` it (rows of each) was cut off, so that more sets meet more sizes.
    """
    sizes = _sizes()
    size = next(sizes)
    for left in before:
        while left >= size:
            left, size = left - size, next(sizes)
    start = 0
    while start < rows:
        yield slice(start, min(start + size, rows))
        start, size = start + size, next(sizes)


def place(preprocessor: str) -> int:
    """Return how many sets come before a preprocessor's: 0 for the reference. Last come those whose pixels are the
    reference's, and known-bad ones, which often run on a sample."""
    known = preprocessors()

    def late(name: str) -> tuple[bool, bool, bool, str]:
        return name != REFERENCE, "C1" in known[name].failures(squash=False), known[name].exact, name

    return sorted(known, key=late).index(preprocessor)


def _sizes() -> Iterator[int]:
    yield from SIZES
    yield from FALLING
    rng = np.random.default_rng(0)
    others = [size for size in range(1, max(SIZES) + 1) if size not in SIZES]
    for first in range(0, len(others), GROUP):
        yield from rng.permutation(others[first : first + GROUP]).tolist()
    while True:
        yield from (1 + rng.permutation(max(SIZES))).tolist()
