"""One preprocessor's pixels, computed file by file and stored as copies. An unreadable file costs its own cells only."""

from dataclasses import dataclass

import numpy as np

from fixtures.capability import Array, Geometry, Preprocessor
from fixtures.datasets import Dataset


class CannotRead(Exception):
    """A preprocessor cannot read a file that the reference reads: its cells fail, whatever it declares."""


@dataclass
class Pixels:
    """One preprocessor's output for every image, as rows of a store in which preprocessors share equal pixels."""

    keys: list[bytes]
    store: dict[bytes, Array]

    def rows(self, indices: list[int] | range) -> Array:
        """float32 [n, 3, R, R]."""
        return np.stack([self.store[self.keys[i]] for i in indices])


def raw(preprocessor: Preprocessor, reference: Preprocessor, dataset: Dataset, image: str, geometry: Geometry) -> object:
    """The preprocessor's output for a file, unchecked; raises BadInput if the reference cannot read it either, else
    CannotRead."""
    path = dataset.path(image)
    try:
        return preprocessor(path, geometry)
    except Exception as error:
        try:
            reference(path, geometry)
        except Exception as damage:
            raise dataset.unreadable(image, damage) from damage
        found = " ".join(str(error).split())[:300] or type(error).__name__
        kind = "" if isinstance(error, OSError) else f"{type(error).__name__}: "
        raise CannotRead(
            f"{preprocessor.name} cannot read image {path} ({kind}{found}), which {reference.name} reads: expected pixels; "
            "mend the preprocessor, leave it out (--preprocessor), or take the file out of the data set"
        ) from None


def read(preprocessor: Preprocessor, reference: Preprocessor, dataset: Dataset, image: str, geometry: Geometry) -> Array:
    """A copy of the preprocessor's pixels, float32 [3, R, R]; raises as `raw` does, and CannotRead for another shape."""
    found = raw(preprocessor, reference, dataset, image, geometry)
    return checked(found, preprocessor, geometry, f" for image {dataset.path(image)}")


def checked(found: object, preprocessor: Preprocessor, geometry: Geometry, of: str = "") -> Array:
    """A copy of what a preprocessor gives, float32 [3, R, R]; raises CannotRead, which says `of` what, for another form."""
    wanted = (3, geometry.size, geometry.size)
    if not isinstance(found, np.ndarray) or found.shape != wanted or found.dtype.kind not in "fiu":
        form = f"{found.dtype} of shape {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
        raise CannotRead(f"{preprocessor.name} gives {form}{of}: expected float32 of shape {wanted}")
    return np.array(found, np.float32, order="C")
