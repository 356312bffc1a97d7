"""What a form of storage is: from unit vectors to what an index keeps of them, and back to what it computes with."""

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fixtures.capability import Array

Stored = NDArray[Any]  # [N, ...]: a row for each vector, in the form's own dtype


class Form(ABC):
    """A form of storage. Subclass it in a file of this folder; the registry finds it, and makes it without arguments.

    Every form that is known here scores by an inner product: of the query and of what `decode` gives. Vectors are L2-normalised
    before they are stored, as indexes for cosine similarity do, and what `decode` gives is not normalised again.
    """

    name: str
    meaning: str  # in a table
    shortlist: int = 0  # rescoring: so many times k are found by `rough` and ranked anew by `decode`; 0: no second look

    multiple: int = 1  # a vector has so many numbers, or a multiple of that
    fewest: int = 1  # vectors to learn from

    def can(self, vectors: int, width: int) -> bool:
        """True if it can store so many vectors of so many numbers."""
        return vectors >= self.fewest and width % self.multiple == 0

    def fit(self, vectors: Array) -> Self:
        """Return the form with the ranges or the codebook of these unit vectors [N, D], which later ones are stored by."""
        return self

    @abstractmethod
    def encode(self, vectors: Array) -> Stored:
        """Return what is kept of unit vectors [N, D]."""

    @abstractmethod
    def decode(self, stored: Stored) -> Array:
        """Return the vectors that scores are computed with, float32 [N, D]."""

    def rough(self, stored: Stored) -> Array:
        """Return the vectors of the first look of a form with a shortlist, float32 [N, D]."""
        return self.decode(stored)

    def as_stored(self, vectors: Array) -> Array:
        """Return vectors as an index that stores queries too computes with them, float32 [N, D]."""
        return self.decode(self.encode(vectors))

    def bytes_of(self, width: int) -> int:
        """Return the bytes that a vector of `width` numbers takes."""
        row = self.encode(np.zeros((1, width), np.float32))
        return row.nbytes
