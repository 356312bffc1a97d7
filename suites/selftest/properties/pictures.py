"""Image files as people send them, and worse: drawn from few numbers, in every mode and format, damaged on demand."""

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

FORMATS = {
    "1": ("PNG", "TIFF"),
    "L": ("PNG", "JPEG", "BMP", "TIFF"),
    "LA": ("PNG", "TIFF"),
    "P": ("PNG", "GIF", "BMP", "TIFF"),
    "P transparent": ("PNG", "GIF"),
    "RGB": ("PNG", "JPEG", "BMP", "WEBP", "TIFF"),
    "RGBA": ("PNG", "WEBP", "TIFF"),
    "CMYK": ("JPEG", "TIFF"),
    "YCbCr": ("JPEG", "TIFF"),
    "LAB": ("TIFF",),
    "I;16": ("PNG", "TIFF"),
    "F": ("TIFF",),
}
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # of PNG, by number of channels
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # x, y, dx, dy


@dataclass(frozen=True)
class Picture:
    """A file's description; `noise` is what no resampling agrees on, without it the picture is smooth."""

    mode: str
    kind: str
    width: int
    height: int
    seed: int
    noise: bool
    orientation: int
    special: bool  # progressive JPEG, interlaced PNG

    def image(self) -> Any:
        """The PIL image."""
        from PIL import Image

        planes = [Image.fromarray(plane) for plane in np.moveaxis(self._bytes(), 2, 0)]
        if self.mode == "I;16":
            return Image.fromarray(self._bytes()[..., 0].astype(np.uint16) * 257)
        if self.mode in ("LAB", "RGBA", "CMYK", "LA"):
            return Image.merge(self.mode, planes[: len(self.mode)])
        colours = Image.merge("RGB", planes[:3])
        if self.mode == "P transparent":
            indexed = colours.quantize(16)
            indexed.info["transparency"] = 3
            return indexed
        return colours.convert(self.mode)

    def _bytes(self) -> np.ndarray:
        """uint8 [height, width, 4]."""
        draw = np.random.default_rng(self.seed)
        if self.noise:
            return draw.integers(0, 256, (self.height, self.width, 4), np.uint8)
        x, y = (np.arange(n)[None] / n * min(3, n / 16) for n in (self.width, self.height))
        waves = draw.uniform(0, 2 * np.pi, (2, 4, 1)) + 2 * np.pi * draw.uniform(0.2, 1, (2, 4, 1)) * 1.0
        columns, rows = (np.cos(phase + 2 * np.pi * places) for phase, places in zip(waves, (x, y), strict=True))
        level = 128 + draw.uniform(20, 60) * (columns[:, None, :] + rows[:, :, None])
        return np.moveaxis(np.rint(level).clip(0, 255).astype(np.uint8), 0, 2)

    def file(self) -> bytes:
        """The whole file's bytes."""
        from PIL import Image

        options: dict[str, Any] = {}
        image, stream = self.image(), io.BytesIO()
        if self.special and self.kind == "PNG" and self.mode in ("L", "LA", "RGB", "RGBA"):
            return interlaced(np.asarray(image).reshape(self.height, self.width, -1))
        if self.special and self.kind == "JPEG":
            options["progressive"] = True
        if self.kind == "WEBP":
            options["lossless"] = self.special
        if self.orientation > 1 and self.kind in ("JPEG", "PNG", "WEBP", "TIFF"):
            exif = Image.Exif()
            exif[0x0112] = self.orientation
            options["exif"] = exif
        image.save(stream, self.kind, **options)
        return stream.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    """A PNG chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, channels: int, rows: bytes, interlace: int = 0, depth: int = 8) -> bytes:
    """A PNG file of filtered rows, which may be other than its header says."""
    header = struct.pack(">IIBBBBB", width, height, depth, COLOUR_TYPES[channels], 0, 0, interlace)
    data = chunk(b"IDAT", zlib.compress(rows, 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


def interlaced(pixels: np.ndarray) -> bytes:
    """uint8 [H, W, C] as interlaced PNG, which Pillow reads and does not write."""
    height, width, channels = pixels.shape
    rows = b""
    for x, y, dx, dy in ADAM7:
        part = pixels[y::dy, x::dx]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    return png(width, height, channels, rows, interlace=1)


def lying(file: bytes, width: int, height: int) -> bytes:
    """The same file with another size in its header; of formats other than PNG, JPEG, BMP and GIF, as it is."""
    if file.startswith(b"\x89PNG"):
        body = struct.pack(">II", width, height) + file[24:29]
        return file[:8] + chunk(b"IHDR", body) + file[33:]
    if file.startswith(b"BM"):
        return file[:18] + struct.pack("<ii", width, height) + file[26:]
    if file.startswith(b"GIF"):
        return file[:6] + struct.pack("<HH", width, height) + file[10:]
    frame = max(file.find(b"\xff\xc0"), file.find(b"\xff\xc2"))
    if file.startswith(b"\xff\xd8") and frame > 0:
        return file[: frame + 5] + struct.pack(">HH", height, width) + file[frame + 9 :]
    return file


def sizes() -> st.SearchStrategy[tuple[int, int]]:
    """Width and height: tiny, usual, and very wide; very tall ones are slow to resize, so they end sooner."""
    tiny, usual = st.integers(1, 32), st.integers(33, 400)
    wide = st.tuples(st.integers(500, 10_000), st.integers(1, 3))
    tall = st.tuples(st.integers(1, 3), st.integers(200, 900))
    square = st.tuples(usual, usual)
    return st.one_of(square, square, square, st.tuples(tiny, tiny), st.tuples(tiny, usual), wide, tall)


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """Any picture."""
    mode = draw(st.sampled_from(sorted(FORMATS)))
    kind = draw(st.sampled_from(FORMATS[mode]))
    width, height = draw(sizes())
    orientation = draw(st.sampled_from([1, 1, 1, 2, 3, 4, 5, 6, 7, 8]))
    return Picture(mode, kind, width, height, draw(st.integers(0, 99)), draw(st.booleans()), orientation, draw(st.booleans()))


def written(folder: Path, content: bytes) -> str:
    """A file's path, the same every time."""
    path = folder / "picture.bin"
    path.write_bytes(content)
    return str(path)
