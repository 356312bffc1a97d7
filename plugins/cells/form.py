"""Checks the form of vectors wherever a suite uses them, so that a broken form is one sentence everywhere."""

from typing import Any

import numpy as np

from fixtures.capability import Array, Encoder, Tokens, Tower


class BrokenForm(Exception):
    """An encoder's result is not a float array of shape [N, D]."""

    def __init__(self, tower: Tower, what: str) -> None:
        super().__init__(what)
        self.tower = tower


class Formed:
    """Wraps an encoder and checks the form of its vectors."""

    def __init__(self, encoder: Encoder, width: int) -> None:
        self._encoder, self._width = encoder, width

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode(self, batch: Array | Tokens, tower: Tower) -> Array:
        """float32 [N, D]; raises BrokenForm. Splits by `max_batch`, so that the result of each call is checked."""
        step = self._encoder.max_batch or max(1, len(batch))
        parts = [batch[i : i + step] for i in range(0, len(batch), step)] or [batch]
        found = [formed(self._encoder.encode(part, tower), len(part), self._width, tower) for part in parts]
        return found[0] if len(found) == 1 else np.concatenate(found)


def formed(found: Any, n: int, width: int, tower: Tower) -> Array:
    """Return `found`; raises BrokenForm if it is not a float array of shape [n, width]."""
    wanted = f"for {n} input{'' if n == 1 else 's'} ({tower}), expected a float32 array of shape {(n, width)}"
    if not isinstance(found, np.ndarray):
        raise BrokenForm(tower, f"{type(found).__name__} {wanted}")
    if found.shape != (n, width):
        raise BrokenForm(tower, f"shape {found.shape} {wanted}")
    if not np.issubdtype(found.dtype, np.floating):
        raise BrokenForm(tower, f"dtype {found.dtype} {wanted}")
    return found


def same(a: Array, b: Array) -> bool:
    """Equal bit for bit, NaN too."""
    return np.array_equal(a, b, equal_nan=True)
