"""Arrays that cells share: read-only, and who takes rows of them gets a copy of its own."""

from typing import Any, TypeVar

import numpy as np

T = TypeVar("T", bound=np.generic)


class Shared(np.ndarray[Any, Any]):
    """`array[rows]` is a new array, C-contiguous and writable: what a backend does to its input reaches no other cell, although
    NumPy's flag does not bind `torch.from_numpy`, which only warns that memory is not writable."""

    def __getitem__(self, index: Any) -> Any:
        return np.array(self.view(np.ndarray)[index], order="C")


def shared(array: "np.ndarray[Any, np.dtype[T]]") -> "np.ndarray[Any, np.dtype[T]]":
    """A copy that nobody can write to by NumPy, whose rows are handed out as copies."""
    return frozen(np.array(array, order="C")).view(Shared)


def frozen(array: "np.ndarray[Any, np.dtype[T]]") -> "np.ndarray[Any, np.dtype[T]]":
    """`array` itself, read-only."""
    array.flags.writeable = False
    return array
