"""What kinds of input there are: the values that an image file or a row of tokens has in each dimension."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from fixtures.capability import Geometry, Tokens
from fixtures.datasets.made import ORIENTATION, SUBSAMPLINGS
from fixtures.images import opened

Values = dict[str, Counter[str]]  # by dimension: how many inputs have each value
NAMES = {number: name for name, number in SUBSAMPLINGS.items()}
LONG, PHOTOGRAPH = 3, 12_000_000  # a side this many times the other; pixels


def of_files(paths: Iterable[str], geometry: Geometry) -> Values:
    """Count the values of image files."""
    found: Values = {}
    for path in paths:
        for dimension, value in _file(path, geometry):
            found.setdefault(dimension, Counter())[value] += 1
    return found


def _file(path: str, geometry: Geometry) -> Iterator[tuple[str, str]]:
    from PIL import JpegImagePlugin

    with opened(path) as image:
        head = Path(path).read_bytes()[:65536]
        yield "format", str(image.format)
        yield "mode (Pillow's)", image.mode
        if image.format == "PNG":
            yield "bits of a PNG's channel", str(head[24])
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            coding = "progressive" if image.info.get("progressive") else "baseline"
            yield "JPEG coding", coding + (", restart markers" if b"\xff\xdd" in head else "")
            yield "JPEG subsampling", NAMES.get(JpegImagePlugin.get_sampling(image), "grey or CMYK")
        yield "EXIF orientation", str(image.getexif().get(ORIENTATION, "none"))
        yield "colour profile", "embedded" if image.info.get("icc_profile") else "none"
        yield "frames or pages", "several" if getattr(image, "n_frames", 1) > 1 else "one"
        yield "transparency", "yes" if image.has_transparency_data else "no"
        width, height = image.size
        shape = "wide" if width >= LONG * height else "tall" if height >= LONG * width else "neither"
        yield f"one side at least {LONG} times the other", shape
        yield "shorter side", _size(min(image.size), geometry.size, width * height)
        levels = np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3)[::97], axis=0)
        yield "content", "varied" if len(levels) > 1 else f"all of one colour, {tuple(levels[0].tolist())}"


def _size(side: int, wanted: int, pixels: int) -> str:
    if pixels >= PHOTOGRAPH:
        return "of 12 megapixels or more"
    if abs(side - wanted) <= 1:
        return {-1: "one pixel less than R", 0: "R, the model's", 1: "one pixel more than R"}[side - wanted]
    return "less than R" if side < wanted else "more than R"


def of_tokens(rows: Tokens, texts: Sequence[str], vocabulary: int) -> Values:
    """Count the values of rows of tokens [N, L] and of the texts from which some of them come."""
    lengths, ids, zeros = Counter[int](), set[int](), 0
    for row in rows.tolist():
        used = max(i for i, token in enumerate(row) if token) + 1
        lengths[used] += 1
        ids.update(row[:used])
        zeros += 0 in row[:used]
    return {
        "tokens, with beginning and end": Counter({_ranges(sorted(lengths)): len(rows)}),
        "token ids": Counter({f"{len(ids):,} of {vocabulary:,}": len(rows)}),
        'id 0 ("!" in CLIP) before the end': Counter({"yes": zeros, "no": len(rows) - zeros}),
        "script": Counter(script for text in texts for script in _scripts(text)),
    }


def _ranges(numbers: Sequence[int]) -> str:
    """2, 4, 5, 6 as "2, 4 to 6"."""
    parts = []
    for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        parts.append(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}")
    return ", ".join(parts)


def _scripts(text: str) -> set[str]:
    """The first word of its letters' Unicode names, which is the script's; "Cjk" are Chinese characters."""
    names = {unicodedata.name(letter, "").split(" ")[0].capitalize() for letter in text if letter.isalpha()}
    return names | ({"symbols and emoji"} if any(unicodedata.category(letter) == "So" for letter in text) else set())
