"""Vectors that are already in an index, as Parquet files with the columns id and vector, looked up by id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fixtures.capability import Array, require
from fixtures.errors import BadInput

PYARROW = {"pyarrow": "pip install pyarrow"}
FORM = "expected Parquet with the columns id (text or number) and vector (a list of floats, all of one length)"


@dataclass(frozen=True)
class StoredVectors:
    """The store. No more than a part's rows are in memory; a store that is sorted by id is not read whole for each part."""

    path: Path

    @classmethod
    def of(cls, path: Path) -> "StoredVectors":
        """Look at the columns; raises BadInput, and Unavailable without pyarrow."""
        require(PYARROW)
        store = cls(path)
        names = store._dataset().schema.names
        if not {"id", "vector"} <= {*names}:
            raise BadInput(f"{path} has columns {', '.join(names)}: {FORM}")
        return store

    def _dataset(self) -> Any:
        from pyarrow import ArrowInvalid
        from pyarrow.dataset import dataset

        try:
            return dataset(self.path, format="parquet")
        except (OSError, ArrowInvalid) as error:
            raise BadInput(f"{self.path} cannot be read as Parquet ({error}): {FORM}") from None

    def __len__(self) -> int:
        return int(self._dataset().count_rows())

    def digest(self) -> list[tuple[str, int, int]]:
        """Each file's name, size and time of writing."""
        files = sorted(self.path.rglob("*.parquet")) if self.path.is_dir() else [self.path]
        return [(file.name, (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files]

    def vectors(self, names: Sequence[str], tower: str = "") -> dict[str, Array]:
        """The vectors [D] float32 of these ids; ids that the store lacks are left out.

        `tower` takes rows whose column `tower` says so, if there is such a column. Raises BadInput for other than floats of one
        length, and for two rows of one id.
        """
        found: dict[str, Array] = {}
        for name, vector in self._rows(names, tower):
            row = np.asarray(vector, np.float32) if vector is not None else np.empty(0, np.float32)
            width = len(next(iter(found.values()), row))
            if row.ndim != 1 or not len(row) or len(row) != width:
                raise BadInput(
                    f"{self.path} has a vector of shape {list(row.shape)} for {name!r}: {FORM}, here {width or 'some'}"
                )
            if name in found:
                raise BadInput(f"{self.path} has two rows with the id {name!r}: expected one for each image")
            found[name] = row
        return found

    def _rows(self, names: Sequence[str], tower: str) -> Iterator[tuple[str, Any]]:
        """Rows of these ids. Bounds of the ids stand beside their list because a reader skips row groups by bounds."""
        import pyarrow as pa
        import pyarrow.compute as pc

        data = self._dataset()
        kind = data.schema.field("id").type
        wanted = {name: name for name in names}
        if pa.types.is_integer(kind):
            wanted = {name: name for name in names if _is_of(kind, name)}
        if not wanted:
            return
        ids = pa.array([int(name) if pa.types.is_integer(kind) else name for name in wanted], kind)
        bounds = pc.min_max(ids)
        at = pc.field("id")
        chosen = (at >= bounds["min"]) & (at <= bounds["max"]) & at.isin(ids)
        if tower and "tower" in data.schema.names:
            chosen &= pc.field("tower") == tower
        for batch in data.to_batches(columns=["id", "vector"], filter=chosen):
            yield from zip(map(str, batch["id"].to_pylist()), _matrix(batch["vector"]), strict=True)


def _is_of(kind: Any, name: str) -> bool:
    """True if the name is written as an integer of this type; no other can be an id."""
    import pyarrow as pa

    try:
        return str(pa.scalar(int(name), kind)) == name
    except (ValueError, OverflowError):
        return False


def _matrix(column: Any) -> Any:
    """A row for each vector: without a Python object for each number, if all are of one length."""
    flat = column.flatten()
    if column.null_count or len(column) == 0 or len(flat) % len(column):
        return column.to_pylist()
    lengths = np.diff(column.offsets.to_numpy()) if hasattr(column, "offsets") else np.array([len(flat) // len(column)])
    if (lengths != lengths[0]).any():
        return column.to_pylist()
    return flat.to_numpy(zero_copy_only=False).reshape(len(column), -1)
