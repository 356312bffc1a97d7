"""The good encoder's results by input: a thousand mutants are the same encoder with a fault around it, and ask for the same."""

import hashlib
from typing import Any

import numpy as np

from fixtures.capability import Array, Encoder, Tower

Key = tuple[Tower, tuple[int, ...], bytes]
RESULTS: dict[Key, Array] = {}  # of this process; forks inherit what is there


class Known:
    """An encoder that looks up what it was asked before, batch by batch: equal batches give equal bits."""

    def __init__(self, good: Encoder) -> None:
        self.good = good

    def encode(self, batch: Any, tower: Tower) -> Array:
        """A copy of the result; raises what the encoder raises."""
        key = (tower, batch.shape, hashlib.sha1(np.ascontiguousarray(batch).data, usedforsecurity=False).digest())
        if key not in RESULTS:
            RESULTS[key] = self.good.encode(batch, tower)
        return RESULTS[key].copy()
