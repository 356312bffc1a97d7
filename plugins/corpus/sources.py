"""Where a corpus's images come from: a folder of files, or Parquet files; in a stable order, and any part is cheap to send."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fixtures.capability import require
from fixtures.datasets.files import IMAGE_SUFFIXES, image_files
from fixtures.errors import BadInput
from plugins.stored.parquet import PYARROW

if TYPE_CHECKING:
    import pyarrow

EXPECTED = "expected columns id, and image (bytes of a file) or path"


class Source(ABC):
    """Images in a stable order. `part` and `chosen` are sources too, small enough to be sent to another machine."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of images."""

    @abstractmethod
    def part(self, start: int, stop: int) -> "Source":
        """The images at these places."""

    @abstractmethod
    def chosen(self, places: Sequence[int]) -> "Source":
        """The images at these places, which rise."""

    @abstractmethod
    def ids(self) -> list[str]:
        """Each image's id; reads no image."""

    @abstractmethod
    def read(self) -> Iterator[tuple[str, bytes | str]]:
        """Each image's id, and its file's bytes or, where they cannot be read, the reason as text."""

    @abstractmethod
    def digest(self) -> str:
        """SHA-256 of what shows that files were added, removed or written: their names, sizes and times. Reads no image."""


def _digest(root: Path, names: Sequence[str]) -> str:
    found = hashlib.sha256()
    for name in names:
        try:
            stat = (root / name).stat()
        except OSError:  # its row says why when it is read
            found.update(json.dumps([name]).encode())
            continue
        found.update(json.dumps([name, stat.st_size, stat.st_mtime_ns]).encode())
    return found.hexdigest()


def _file(path: Path) -> bytes | str:
    try:
        return path.read_bytes()
    except OSError as error:
        return error.strerror or str(error)


@dataclass(frozen=True)
class Folder(Source):
    """All image files below a folder, sorted by name; an image's id is its path relative to the folder, with slashes."""

    root: Path
    names: tuple[str, ...]

    @classmethod
    def of(cls, root: Path) -> "Folder":
        """List the folder; raises BadInput if it has no image."""
        names = tuple(sorted(image_files(root)))
        if not names:
            raise BadInput(f"{root} has no image file: expected files that end in {', '.join(IMAGE_SUFFIXES)}")
        return cls(root, names)

    def __len__(self) -> int:
        return len(self.names)

    def part(self, start: int, stop: int) -> "Folder":
        return Folder(self.root, self.names[start:stop])

    def chosen(self, places: Sequence[int]) -> "Folder":
        return Folder(self.root, tuple(self.names[place] for place in places))

    def ids(self) -> list[str]:
        return list(self.names)

    def read(self) -> Iterator[tuple[str, bytes | str]]:
        for name in self.names:
            yield name, _file(self.root / name)

    def digest(self) -> str:
        return _digest(self.root, self.names)


@dataclass(frozen=True)
class Parquet(Source):
    """Rows of Parquet files, in the order of the files' names: column `id`, and `image` (bytes) or `path`.

    `image` may be a struct of `bytes` and `path`, as Hugging Face's datasets write it. A path is relative to the Parquet file.
    """

    root: Path
    runs: tuple[tuple[str, int, int], ...]  # file, first row, and the row after the last

    @classmethod
    def of(cls, path: Path) -> "Parquet":
        """Read the files' footers; raises BadInput for files without the columns, and for no rows."""
        from pyarrow.parquet import ParquetFile

        root, runs = (path, sorted(path.rglob("*.parquet"))) if path.is_dir() else (path.parent, [path])
        found = []
        for file in runs:
            try:
                with ParquetFile(file) as opened:
                    columns, rows = [*opened.schema_arrow.names], opened.metadata.num_rows
            except (OSError, ValueError) as error:
                raise _unreadable(file, error) from None
            if "id" not in columns or not {"image", "path"} & {*columns}:
                raise BadInput(f"{file} has columns {', '.join(columns)}: {EXPECTED}")
            found.append((file.relative_to(root).as_posix(), 0, rows))
        if not sum(stop for _, _, stop in found):
            raise BadInput(f"{path} has no rows: {EXPECTED}, and a row for each image")
        return cls(root, tuple(found))

    def __len__(self) -> int:
        return sum(stop - start for _, start, stop in self.runs)

    def part(self, start: int, stop: int) -> "Parquet":
        found, before = [], 0
        for file, first, end in self.runs:
            low, high = max(start - before, 0), min(stop - before, end - first)
            if low < high:
                found.append((file, first + low, first + high))
            before += end - first
        return Parquet(self.root, tuple(found))

    def chosen(self, places: Sequence[int]) -> "Parquet":
        return Parquet(self.root, tuple(run for place in places for run in self.part(place, place + 1).runs))

    def ids(self) -> list[str]:
        return [str(name) for _, rows in self._tables(lambda _: ["id"]) for name in rows["id"].to_pylist()]

    def read(self) -> Iterator[tuple[str, bytes | str]]:
        for file, rows in self._tables(lambda columns: ["id", "image" if "image" in columns else "path"]):
            images = rows["image" if "image" in rows.column_names else "path"]
            for name, image in zip(rows["id"].to_pylist(), images.to_pylist(), strict=True):
                yield str(name), self._bytes(file, image)

    def _tables(self, chosen: Callable[[list[str]], list[str]]) -> Iterator[tuple[str, "pyarrow.Table"]]:
        """The file and the rows of each run, with the columns that `chosen` takes of a file's.

        Row groups are read once for the runs in them that follow each other: single rows may all lie in one that is large.
        Raises BadInput for a damaged one.
        """
        from pyarrow.parquet import ParquetFile

        kept: tuple[str, list[int]] | None = None
        for file, start, stop in self.runs:
            path = self.root / file
            with ParquetFile(path, memory_map=True) as opened:
                groups, first = _groups(opened.metadata, start, stop)
                if kept != (file, groups):
                    try:
                        table = opened.read_row_groups(groups, columns=chosen(opened.schema_arrow.names))
                    except (OSError, ValueError) as error:
                        raise _unreadable(path, error) from None
                    kept = file, groups
            yield file, table.slice(start - first, stop - start)

    def _bytes(self, file: str, image: Any) -> bytes | str:
        content = image.get("bytes") or image.get("path") if isinstance(image, dict) else image
        if isinstance(content, str):
            return _file((self.root / file).parent / content)
        return content if isinstance(content, bytes) else "the row has no bytes"

    def digest(self) -> str:
        names = [file for file, _, _ in self.runs]
        for file, rows in self._tables(lambda columns: [] if "image" in columns else ["path"]):
            paths = rows["path"].to_pylist() if "path" in rows.column_names else []
            names += [(Path(file).parent / path).as_posix() for path in paths if path]
        return _digest(self.root, names)


def _groups(metadata: Any, start: int, stop: int) -> tuple[list[int], int]:
    """The row groups that have these rows, and the first one's first row."""
    groups, first, before = list[int](), 0, 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if before < stop and before + rows > start:
            first = first if groups else before
            groups.append(group)
        before += rows
    return groups, first


def _unreadable(path: Path, error: Exception) -> BadInput:
    return BadInput(f"{path} cannot be read as Parquet ({error}): {EXPECTED}")


def source_of(path: Path) -> Source:
    """The corpus at a path: Parquet for a .parquet file and for a folder that has such files and no images, else a folder.

    Raises BadInput for anything else, and Unavailable for Parquet without pyarrow.
    """
    if path.is_dir() and (image_files(path) or not any(path.rglob("*.parquet"))):
        return Folder.of(path)
    if path.is_dir() or (path.suffix == ".parquet" and path.is_file()):
        require(PYARROW)
        return Parquet.of(path)
    raise BadInput(f"no corpus at {path}: expected a folder of image files, a .parquet file, or a folder of them")
