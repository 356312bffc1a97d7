"""What a preprocessor promises: the reference's pixels, as closely as its definition allows."""

import numpy as np
import pytest

from fixtures.capability import Preprocessor
from fixtures.preprocessors._shared import MEAN, STD
from plugins.comparison import Comparison, pixel_difference
from plugins.golden import Golden
from plugins.measures import TRAIT_PROMISES
from plugins.promises import Judge
from plugins.report import Record
from plugins.subjects import Subjects

METRICS = ("mean_abs", "p999_abs", "max_abs")


@pytest.fixture
def differences(subjects: Subjects, golden: Golden, preprocessor_name: str):  # type: ignore[no-untyped-def]
    """A function from a trait to the pixel differences of all golden images that have it."""
    images = subjects.dataset.images
    found = subjects.pixels(preprocessor_name)

    def of(trait: str) -> tuple[list[str], list[dict[str, float]]]:
        names = [name for name in golden.pixel_names if subjects.trait(name) == trait]
        wanted = golden.pixels[[golden.pixel_names.index(name) for name in names]]
        rows = found.rows([images.index(name) for name in names]) if names else wanted
        return names, [pixel_difference(a, b) for a, b in zip(rows, wanted, strict=True)]

    return of


def hold_to_budget(differences, golden: Golden, name: str, trait: str, judge: Judge) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """Judge mean, 99.9th percentile and maximum; returns the largest of each."""
    names, rows = differences(trait)
    if not rows:
        pytest.skip(f"the data set has no {trait} image: add one to its images folder to check {TRAIT_PROMISES[trait]}")
    for metric in METRICS:
        values = np.array([row[metric] for row in rows])
        judge(Comparison(f"pixel {metric} from the reference", values, golden.budget(name, metric), names))
    return {metric: max(row[metric] for row in rows) for metric in METRICS}


def test_form(subjects: Subjects, preprocessor: Preprocessor, preprocessor_name: str, judge: Judge) -> None:
    """P1 pixels are finite, float32, C-contiguous and of shape [3, R, R], for every file that can be opened."""
    size = subjects.model.resolution
    for name in subjects.dataset.odd:
        pixels = preprocessor(subjects.dataset.path(name), size)
        judge(pixels.shape == (3, size, size), f"shape {pixels.shape} for {name}, expected {(3, size, size)}")
        judge(pixels.dtype == np.float32 and pixels.flags.c_contiguous, f"dtype {pixels.dtype} or layout of {name}")
        judge(np.isfinite(pixels).all(), f"NaN or Inf in the pixels of {name}")


@pytest.mark.parametrize("shape", [(640, 425), (425, 640), (2162, 762), (300, 300)], ids=lambda s: f"{s[0]}x{s[1]}")
def test_geometry(subjects: Subjects, preprocessor: Preprocessor, shape: tuple[int, int], judge: Judge) -> None:
    """P2 geometry: the shorter side becomes R, then the centre is cropped, to a quarter of a pixel."""
    from PIL import Image

    size = subjects.model.resolution
    width, height = shape
    y, x = np.mgrid[0:height, 0:width]
    for axis, ramp, extent in (("horizontal", x, width), ("vertical", y, height)):
        grey = np.rint(ramp * (255 / (extent - 1))).astype(np.uint8)
        image = Image.fromarray(np.repeat(grey[..., None], 3, axis=2))
        pixels = preprocessor.transform(preprocessor.from_pil(image), size)
        level = (pixels * STD[:, None, None] + MEAN[:, None, None]).mean(axis=0).astype(np.float64) * 255
        seen = np.arange(8, size - 8)
        source = level.mean(axis=0 if axis == "horizontal" else 1)[seen] * (extent - 1) / 255
        scale = min(width, height) / size
        wanted = (np.arange(size) - (size - 1) / 2) * scale + (extent - 1) / 2
        # A line through all positions: one alone is off by up to a pixel, because the ramp has 256 levels.
        found = np.polyval(np.polyfit(seen, source, 1), [0, size - 1])
        off = np.abs(found - wanted[[0, -1]]) / scale
        where = [f"{side} edge of a {width}x{height} {axis} ramp" for side in ("first", "last")]
        judge(Comparison("displacement in output pixels", off, 0.25, where))


def test_opaque(differences, golden: Golden, preprocessor_name: str, judge: Judge, record: Record) -> None:  # type: ignore[no-untyped-def]
    """P3 opaque images (RGB, grey, CMYK) give the reference's pixels within the preprocessor's budget."""
    _, rows = differences("opaque")
    record("pixels", {metric: max(row[metric] for row in rows) for metric in METRICS})
    hold_to_budget(differences, golden, preprocessor_name, "opaque", judge)


def test_transparent(differences, golden: Golden, preprocessor_name: str, judge: Judge) -> None:  # type: ignore[no-untyped-def]
    """P4 transparent images give the reference's pixels: resampled with their alpha, which is dropped only then."""
    hold_to_budget(differences, golden, preprocessor_name, "transparent", judge)


def test_orientation(differences, golden: Golden, preprocessor_name: str, judge: Judge) -> None:  # type: ignore[no-untyped-def]
    """P5 an EXIF orientation changes nothing: like the reference, pixels are taken as they are stored."""
    hold_to_budget(differences, golden, preprocessor_name, "turned", judge)


def test_indexed(differences, golden: Golden, preprocessor_name: str, judge: Judge) -> None:  # type: ignore[no-untyped-def]
    """P6 palette, 1-bit and 16-bit images give the reference's pixels within the preprocessor's budget."""
    hold_to_budget(differences, golden, preprocessor_name, "indexed", judge)


def test_small(differences, golden: Golden, preprocessor_name: str, judge: Judge) -> None:  # type: ignore[no-untyped-def]
    """P8 an image smaller than R is enlarged as the reference enlarges it, within the preprocessor's budget."""
    hold_to_budget(differences, golden, preprocessor_name, "small", judge)


def test_sources(subjects: Subjects, preprocessor: Preprocessor, judge: Judge) -> None:
    """P7 an image in memory and its file give the same pixels."""
    from PIL import Image

    path, size = subjects.dataset.path(subjects.dataset.scenes[0]), subjects.model.resolution
    with Image.open(path) as image:
        from_memory = preprocessor.transform(preprocessor.from_pil(image), size)
    difference = np.abs(from_memory - preprocessor(path, size)).max()
    judge(difference == 0, f"they differ by up to {difference:.3g}")
