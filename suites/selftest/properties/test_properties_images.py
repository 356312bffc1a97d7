"""Any image file gives valid pixels, equal to the reference's within budget, or one clear sentence; from every preprocessor."""

import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from fixtures import ROOT
from fixtures.capability import Array, Geometry
from fixtures.datasets import traits_of
from fixtures.images import BadImage, opened
from fixtures.preprocessors._long import in_pieces
from fixtures.preprocessors._shared import LONGEST, crop_box
from fixtures.registry import preprocessors
from plugins.cells.traits import TRAIT_PROMISES
from plugins.golden.verified import Golden
from plugins.measures.vectors.metrics import PIXEL_METRICS, absolute_difference
from suites.selftest.properties.pictures import Picture, lying, pictures, png, written
from suites.selftest.properties.settings import hold

GEOMETRIES = (
    Geometry(224),
    Geometry(288),
    Geometry(224, squash=True),
    Geometry(224, True, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),  # SigLIP
    Geometry(256, False, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bilinear"),  # MobileCLIP
    Geometry(224, rounds_down=True),  # transformers' CLIP
)
TOO_LONG = "too long to resize"
DAMAGES = ("cut", "cut", "flipped", "lying", "other start")


@pytest.fixture(scope="module")
def golden() -> Golden:
    """The default model's budgets; vectors play no part here."""
    nothing = np.empty((0, 1), np.float32)
    budgets = tomllib.loads((ROOT / "golden" / "scenes-s" / "preprocessing.toml").read_text())
    return Golden(nothing, nothing, (), nothing, {}, budgets)


def valid(pixels: Array, geometry: Geometry) -> bool:
    """What P1 promises."""
    form = pixels.shape == (3, geometry.size, geometry.size) and pixels.dtype == np.float32 and pixels.flags.c_contiguous
    return form and bool(np.isfinite(pixels).all())


def test_any_picture(golden: Golden, tmp_path: Path) -> None:
    """All modes, formats, sizes, orientations: P1 always, and the reference's pixels but for what is declared to differ."""

    def check(picture: Picture, geometry: Geometry) -> None:
        path = written(tmp_path, picture.file())
        with opened(path) as image:
            traits = traits_of(image, geometry)
        wanted = preprocessors()["original_clip"](path, geometry)
        for name, preprocessor in preprocessors().items():
            if "that cv2 cannot read" in refusal(name, path, geometry) and name == "read_from_cv":
                continue
            found = preprocessor(path, geometry)
            known = preprocessor.failures(geometry.squash)
            # Where an aliasing, a sharp or a box filter differ, they differ without bound on noise: budgets are of pictures,
            # and of models whose filter is bicubic.
            other = picture.noise or geometry.interpolation != "bicubic"
            if any(TRAIT_PROMISES[trait] in known for trait in traits) or (other and not preprocessor.exact):
                continue
            difference = absolute_difference(found, wanted)
            for metric in PIXEL_METRICS:
                assert difference[metric] <= golden.budget(name, metric), (name, metric, difference, traits)

    hold("any picture", check, 40, picture=pictures(), geometry=st.sampled_from(GEOMETRIES))


def refusal(name: str, path: str, geometry: Geometry) -> str:
    """What a preprocessor says of a file, checked to be one sentence; "" where it gives valid pixels."""
    try:
        pixels = preprocessors()[name](path, geometry)
    except BadImage as error:
        said = str(error)
        assert "\n" not in said and "expected" in said and "take it out" in said, said
        return said
    assert valid(pixels, geometry), name
    return ""


def damaged(file: bytes, how: str, place: float, size: tuple[int, int]) -> bytes:
    """The file cut off, with one bit changed, with another size in its header, or with another start."""
    at = int(place * len(file))
    if how == "cut":
        return file[:at]
    if how == "flipped":
        return file[:at] + bytes([file[at] ^ (1 << size[0] % 8)]) + file[at + 1 :]
    return lying(file, *size) if how == "lying" else file[at % 16 :]


def test_damaged_files(tmp_path: Path) -> None:
    """Pixels or one sentence, never anything else; of what the reference cannot decode, a sentence from all.

    What is too long for it is a whole file, which a preprocessor that squashes may read.
    """

    def check(picture: Picture, how: str, place: float, size: tuple[int, int]) -> None:
        path = written(tmp_path, damaged(picture.file(), how, place, size))
        said = {name: refusal(name, path, GEOMETRIES[0]) for name in preprocessors()}
        if said["original_clip"] and TOO_LONG not in said["original_clip"]:
            assert all(said.values()), {name: words for name, words in said.items() if not words}

    claimed = st.tuples(st.integers(0, 3000), st.integers(0, 3000))
    small = pictures().filter(lambda picture: max(picture.width, picture.height) <= 400)
    hold(
        "damaged file",
        check,
        125,
        picture=small,
        how=st.sampled_from(DAMAGES),
        place=st.floats(0, 1, exclude_max=True),
        size=claimed,
    )


def test_anything_at_all(tmp_path: Path) -> None:
    """Bytes that begin as some image does, or as nothing known."""
    starts = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"BM", b"II*\0", b"RIFF\x20\0\0\0WEBPVP8 "]

    def check(start: bytes, rest: bytes) -> None:
        path = written(tmp_path, start + rest)
        for name in preprocessors():
            refusal(name, path, GEOMETRIES[0])

    hold("any bytes", check, 75, start=st.sampled_from(starts), rest=st.binary(max_size=300))


@pytest.mark.parametrize("name", preprocessors())
def test_decompression_bombs_are_refused(name: str, tmp_path: Path) -> None:
    """A kilobyte that claims 400 million pixels is refused from its header, in the same words with and without pytest."""
    path = written(tmp_path, png(20_000, 20_000, 3, b"\0" * 100))
    words = set()
    for action in ("error", "ignore"):
        with warnings.catch_warnings():
            warnings.simplefilter(action)
            words.add(refusal(name, path, GEOMETRIES[0]))
    assert len(words) == 1 and "400000000 pixels" in words.pop()


def test_large_photographs_are_no_bombs(tmp_path: Path) -> None:
    """100 million pixels, as cameras take them: Pillow warns, which is an error under pytest, and we decode them."""
    path = written(tmp_path, png(12_500, 8_000, 1, b"\0" * (8_000 * (12_500 + 1)), depth=8))
    assert refusal("our_clip_implementation", path, GEOMETRIES[0]) == ""


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "I;16", "F"])
@pytest.mark.parametrize("size", [(700, 3), (3, 700), (401, 2), (5, 333), (450, 1000), (1000, 450)])  # the last two shrink
def test_long_pictures_are_resized_as_if_whole(mode: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces, bit for bit what one resize gives."""
    from PIL import Image

    image = Picture(mode, "", *size, 1, True, 1, False).image()
    new, (left, top) = crop_box(*size, GEOMETRIES[0])
    whole = image.resize(new, Image.Resampling.BICUBIC).crop((left, top, left + 224, top + 224))
    monkeypatch.setattr("fixtures.preprocessors._long.LARGEST", 5 * new[1])
    assert np.array_equal(np.asarray(in_pieces(image, new, (left, top), GEOMETRIES[0])), np.asarray(whole))


def test_the_longest_pictures(golden: Golden) -> None:
    """10,000 x 1 both ways keeps to its budget in every preprocessor that has one; a pixel more is refused by those."""
    for size in ((LONGEST, 1), (1, 4_000)):
        image = Picture("RGB", "", *size, 2, False, 1, False).image()
        wanted = preprocessors()["original_clip"].transform(image, GEOMETRIES[0])
        for name in ("our_clip_implementation", "script_based", "opencv-cubic"):
            preprocessor = preprocessors()[name]
            found = preprocessor.transform(preprocessor.from_pil(image), GEOMETRIES[0])
            difference = absolute_difference(found, wanted)
            for metric in PIXEL_METRICS:
                assert difference[metric] <= golden.budget(name, metric), (name, size, metric, difference)
    too_long = Picture("L", "", LONGEST + 1, 1, 2, False, 1, False).image()
    for preprocessor in preprocessors().values():
        if "P2" not in preprocessor.failures(squash=False):
            with pytest.raises(BadImage, match=TOO_LONG):
                preprocessor.transform(preprocessor.from_pil(too_long), GEOMETRIES[0])
