"""Scalar quantisation: a byte a number, with a range for each dimension or one range for all."""

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from fixtures.capability import Array
from plugins.measures.storage.form import Form, Stored

LEVELS = 255  # faiss: steps between a dimension's least and greatest number
STEPS = 127  # Qdrant: 7 bits, so that sums of products fit the processors' instructions
QUANTILE = 0.99  # Qdrant's documentation recommends it


def _zero() -> Array:
    return np.zeros(1, np.float32)


@dataclass(frozen=True)
class Int8(Form):
    """faiss's QT_8bit: each dimension's own range, from its least to its greatest number; the query stays as it is.

    A number becomes the step that it lies in, and comes back as the middle of that step; one beyond the range becomes the last.
    """

    low: Array = field(default_factory=_zero)  # [D]
    span: Array = field(default_factory=_zero)  # [D]
    name, meaning = "int8", "a byte a number, a range for each dimension (faiss QT_8bit)"

    def fit(self, vectors: Array) -> Self:
        """Take each dimension's range from these vectors."""
        rows = np.asarray(vectors, np.float32)
        low = rows.min(axis=0)
        return replace(self, low=low, span=rows.max(axis=0) - low)

    def encode(self, vectors: Array) -> Stored:
        """uint8 [N, D]."""
        rows = np.asarray(vectors, np.float32) - self.low
        share = np.divide(rows, self.span, out=np.zeros_like(rows), where=self.span > 0)
        return np.asarray(np.clip(share, 0, 1) * np.float32(LEVELS), np.uint8)

    def decode(self, stored: Stored) -> Array:
        """The middle of each step."""
        return np.asarray((stored.astype(np.float32) + np.float32(0.5)) / np.float32(LEVELS) * self.span + self.low)


@dataclass(frozen=True)
class Int8OneRange(Form):
    """Qdrant's scalar quantisation: one range for all dimensions, 7 bits, the farthest numbers clipped.

    As its encoded_vectors_u8.rs and quantile.rs do it (version 1.16): of N vectors, (1 - quantile) / 2 * N numbers are beyond
    either end. Qdrant stores the query in the same way: those are the queries "as stored".
    """

    low: float = 0.0
    step: float = 1.0
    name, meaning = "int8-one-range", "7 bits a number, one range for all dimensions (Qdrant's scalar quantisation)"

    def fit(self, vectors: Array) -> Self:
        """Take the range from these vectors."""
        numbers = np.asarray(vectors, np.float32).ravel()
        beyond = max(1, int(len(vectors) * (1 - QUANTILE) / 2))
        low, high = np.partition(numbers, (beyond, numbers.size - 1 - beyond))[[beyond, -1 - beyond]]
        return replace(self, low=float(low), step=float(high - low) / STEPS or 1.0)

    def encode(self, vectors: Array) -> Stored:
        """uint8 [N, D]."""
        return np.asarray(np.rint(np.clip((np.asarray(vectors, np.float32) - self.low) / self.step, 0, STEPS)), np.uint8)

    def decode(self, stored: Stored) -> Array:
        """The numbers of the steps."""
        return np.asarray(stored.astype(np.float32) * np.float32(self.step) + np.float32(self.low))
