"""Arrays that cells share: read-only, and taking rows returns a copy."""

from typing import Any, TypeVar

import numpy as np

T = TypeVar("T", bound=np.generic)


class Shared(np.ndarray[Any, Any]):
    """`array[rows]` is a new array, C-contiguous and writable: a backend that writes to its input affects no other cell.
    NumPy's read-only flag alone does not help: `torch.from_numpy` only warns about it."""

    def __getitem__(self, index: Any) -> Any:
        return np.array(self.view(np.ndarray)[index], order="C")


def shared(array: "np.ndarray[Any, np.dtype[T]]") -> "np.ndarray[Any, np.dtype[T]]":
    """A read-only copy whose rows are returned as copies."""
    return frozen(np.array(array, order="C")).view(Shared)


def frozen(array: "np.ndarray[Any, np.dtype[T]]") -> "np.ndarray[Any, np.dtype[T]]":
    """`array` itself, read-only."""
    array.flags.writeable = False
    return array
