"""A plug-in for inner runs: preprocessors that go wrong over several calls or on odd files, and good ones like them."""

import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np

from fixtures.capability import Array, Geometry
from fixtures.preprocessors.original_clip import OriginalClip
from fixtures.registry import preprocessors


class OneBuffer(OriginalClip):
    """Gives the same array each time."""

    name = "one-buffer"
    length = 1

    def __init__(self) -> None:
        self.ring, self.turn = [np.empty((3, 224, 224), np.float32) for _ in range(self.length)], 0

    def transform(self, decoded: Any, geometry: Geometry) -> Array:
        """Into the next buffer."""
        self.turn = (self.turn + 1) % self.length
        self.ring[self.turn][:] = super().transform(decoded, geometry)
        return self.ring[self.turn]


class RingOfBuffers(OneBuffer):
    """Gives the same array every eighth time."""

    name = "ring-of-buffers"
    length = 8


class KeptByPath(OriginalClip):
    """Remembers what it decoded from a path."""

    name = "kept-by-path"

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def decode(self, path: str) -> Any:
        """Once a path."""
        if path not in self.kept:
            self.kept[path] = super().decode(path)
        return self.kept[path]


class KeptByImage(OriginalClip):
    """Remembers what became of an image in memory."""

    name = "kept-by-image"

    def __init__(self) -> None:
        self.kept: dict[int, tuple[Any, Array]] = {}

    def transform(self, decoded: Any, geometry: Geometry) -> Array:
        """Once an object."""
        if id(decoded) not in self.kept:
            self.kept[id(decoded)] = decoded, super().transform(decoded, geometry)
        return self.kept[id(decoded)][1].copy()


class KeptByContent(OriginalClip):
    """Remembers what became of a file's content and gives copies: nothing is wrong with that."""

    name = "kept-by-content"

    def __init__(self) -> None:
        self.kept: dict[bytes, Array] = {}

    def __call__(self, path: str, geometry: Geometry) -> Array:
        """Once a content."""
        key = hashlib.sha256(Path(path).read_bytes()).digest()
        if key not in self.kept:
            self.kept[key] = super().__call__(path, geometry)
        return self.kept[key].copy()


class HandedOut(KeptByContent):
    """The same without copies."""

    name = "handed-out"

    def __call__(self, path: str, geometry: Geometry) -> Array:
        """The array that is kept."""
        super().__call__(path, geometry)
        return self.kept[hashlib.sha256(Path(path).read_bytes()).digest()]


class LastSize(OriginalClip):
    """Resizes to the size of the picture that was decoded last before it resizes to the model's."""

    name = "last-size"
    size = (0, 0)

    def decode(self, path: str) -> Any:
        """Remembers the size."""
        image = super().decode(path)
        self.size = image.size
        return image

    def transform(self, decoded: Any, geometry: Geometry) -> Array:
        """Uses what it remembers."""
        return super().transform(decoded.resize(self.size) if self.size[0] else decoded, geometry)


class Scribbles(OriginalClip):
    """Writes into the caller's own image."""

    name = "scribbles"

    def transform(self, decoded: Any, geometry: Geometry) -> Array:
        """Blackens a corner when it has done."""
        found = super().transform(decoded, geometry)
        decoded.paste(0, (0, 0, 1, 1))
        return found


class OneScratch(OriginalClip):
    """Works in one array, and gives a copy."""

    name = "one-scratch"

    def __init__(self) -> None:
        self.scratch = np.empty((3, 224, 224), np.float32)
        self.lock: Any = threading.Lock()

    def transform(self, decoded: Any, geometry: Geometry) -> Array:
        """Two threads at once mix their rows."""
        found = super().transform(decoded, geometry)
        for row in range(224):
            self.scratch[:, row] = found[:, row]
        return self.scratch.copy()


class LockedScratch(OneScratch):
    """The same behind a lock: nothing is wrong with that."""

    name = "locked-scratch"

    def transform(self, decoded: Any, geometry: Geometry) -> Array:
        """One thread at a time."""
        with self.lock:
            return super().transform(decoded, geometry)


class PlainPillow(OriginalClip):
    """Opens files as most people do: Pillow reads past a wrong checksum and a missing end."""

    name = "plain-pillow"

    def decode(self, path: str) -> Any:
        """File to PIL image."""
        from PIL import Image

        with Image.open(path) as image:
            image.load()
            return image


class Forgiving(PlainPillow):
    """Takes grey for whatever it cannot read."""

    name = "forgiving"

    def decode(self, path: str) -> Any:
        """File to PIL image, always."""
        from PIL import Image

        try:
            return super().decode(path)
        except OSError:
            return Image.new("RGB", (300, 200), "grey")


class OtherError(OriginalClip):
    """Raises no OSError."""

    name = "other-error"

    def decode(self, path: str) -> Any:
        """File to PIL image."""
        try:
            return super().decode(path)
        except OSError as error:
            raise ValueError("bad file") from error


class Picky(OriginalClip):
    """Cannot read one odd file."""

    name = "picky"
    unread = "rgba_2162x762.png"

    def decode(self, path: str) -> Any:
        """File to PIL image."""
        if Path(path).name == self.unread:
            raise RuntimeError("no such colours\nin my table")
        return super().decode(path)


class PickySquash(Picky):
    """Cannot read one scene, and declares that it breaks what a cell promises of pixels and recall."""

    name = "picky-squash"
    unread = "scene_000.jpg"
    known_failures = dict(preprocessors()["opencv_based"].failures(squash=False))

    def transform(self, decoded: Any, geometry: Geometry) -> Array:
        """Squashes."""
        return preprocessors()["opencv_based"].transform(decoded, geometry)


PLANTED = (
    OneBuffer,
    RingOfBuffers,
    KeptByPath,
    KeptByImage,
    KeptByContent,
    HandedOut,
    LastSize,
    Scribbles,
    OneScratch,
    LockedScratch,
    PlainPillow,
    Forgiving,
    OtherError,
    Picky,
    PickySquash,
)


def pytest_configure() -> None:
    """Join the matrix."""
    for planted in PLANTED:
        preprocessors()[planted.name] = planted()
