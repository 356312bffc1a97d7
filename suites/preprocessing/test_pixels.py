"""What a preprocessor promises: the reference's pixels, as closely as its definition allows."""

from collections.abc import Callable

import numpy as np
import pytest

from fixtures.capability import Geometry, Preprocessor
from fixtures.datasets import Trait
from fixtures.images import decoded
from fixtures.preprocessors._shared import crop_box, levels
from plugins.cells.made import made_pixels
from plugins.cells.promises import Judge
from plugins.cells.traits import TRAIT_PROMISES, excused_traits
from plugins.golden.verified import Golden
from plugins.measures.vectors.metrics import PIXEL_METRICS, Comparison, Differences, absolute_difference
from plugins.report.rows import Record
from plugins.subjects import Subjects

DifferencesOf = Callable[[Trait], tuple[list[str], list[Differences]]]


@pytest.fixture
def differences(subjects: Subjects, golden: Golden, preprocessor: Preprocessor) -> DifferencesOf:
    """A function from a trait to the pixel differences of all golden images and made files that have it."""
    found = subjects.pixels(preprocessor.name)
    excused = excused_traits(preprocessor, subjects.model.geometry)

    def of(trait: Trait) -> tuple[list[str], list[Differences]]:
        # A turned file that is transparent too says nothing of P5 where P4 is known to break.
        others = set() if trait in excused else excused
        names = [n for n in golden.pixel_names if subjects.trait(n) == trait and others.isdisjoint(subjects.traits(n))]
        wanted = golden.pixels[[golden.pixel_names.index(name) for name in names]]
        rows = found.rows(subjects.dataset.rows(names)) if names else wanted
        pairs = [(name, a, b) for name, a, b in zip(names, rows, wanted, strict=True)]
        for file, pixels in made_pixels(subjects, preprocessor):  # P14 judges those that it cannot read
            if file.traits[0] == trait and others.isdisjoint(file.traits) and isinstance(pixels, np.ndarray):
                pairs.append((file.name, pixels, file.wanted))
        return [name for name, _, _ in pairs], [absolute_difference(a, b) for _, a, b in pairs]

    return of


def hold_to_budget(
    differences: DifferencesOf, golden: Golden, name: str, trait: Trait, judge: Judge, record: Record | None = None
) -> None:
    """Record the largest mean, 99.9th percentile and maximum, and judge all of them."""
    names, rows = differences(trait)
    if not rows:
        pytest.skip(f"the data set has no {trait} image: add one to its images folder to check {TRAIT_PROMISES[trait]}")
    if record:
        record("pixels", {metric: max(row[metric] for row in rows) for metric in PIXEL_METRICS})
    for metric in PIXEL_METRICS:
        values = np.array([row[metric] for row in rows])
        limits = np.array([golden.budget(name, metric, each) for each in names])
        judge(Comparison(f"pixel {metric} from the reference", values, limits, names, metric))


def test_form(subjects: Subjects, preprocessor_name: str, judge: Judge) -> None:
    """P1 pixels are finite, float32, C-contiguous and of shape [3, R, R], for every file that can be opened."""
    size = subjects.model.geometry.size
    for name in (subjects.dataset.scenes[0], *subjects.dataset.odd):
        pixels = subjects.raw_pixels(preprocessor_name, name)
        if not isinstance(pixels, np.ndarray):
            judge(False, f"{type(pixels).__name__} for {name}, expected a NumPy array")
            return
        judge(pixels.shape == (3, size, size), f"shape {pixels.shape} for {name}, expected {(3, size, size)}")
        judge(pixels.dtype == np.float32 and pixels.flags.c_contiguous, f"dtype {pixels.dtype} or layout of {name}")
        judge(np.isfinite(pixels).all(), f"NaN or Inf in the pixels of {name}")


SHAPES = ((640, 425), (425, 640), (2162, 762), (300, 300))


@pytest.mark.parametrize("axis", ["horizontal", "vertical"])
def test_geometry(subjects: Subjects, preprocessor: Preprocessor, axis: str, judge: Judge) -> None:
    """P2 geometry is the model's: shorter side to R and centre crop, or squashed to R × R; to a quarter of a pixel."""
    geometry = subjects.model.geometry
    size = geometry.size
    along = 0 if axis == "horizontal" else 1
    displacements, places = [], []
    for shape in SHAPES:
        level = seen_level(preprocessor, shape, along, geometry)
        new, corner = crop_box(*shape, geometry)
        seen = np.arange(8, size - 8)
        # A line through all positions: one alone is off by up to a pixel, because the ramp has 256 levels.
        found = np.polyval(np.polyfit(seen, level[seen] * (shape[along] - 1), 1), [0, size - 1])
        wanted = (corner[along] + np.array([0, size - 1]) + 0.5) * shape[along] / new[along] - 0.5
        displacements += (np.abs(found - wanted) * new[along] / shape[along]).tolist()
        places += [f"{edge} edge of a {shape[0]}x{shape[1]} {axis} ramp" for edge in ("first", "last")]
    judge(Comparison("displacement in output pixels", np.array(displacements), 0.25, places, "displacement"))


def seen_level(preprocessor: Preprocessor, shape: tuple[int, int], along: int, geometry: Geometry) -> np.ndarray:
    """Brightness 0..1 at each output position [R] of an image whose brightness rises evenly along one axis."""
    from PIL import Image

    ramp = np.rint(np.linspace(0, 255, shape[along])).astype(np.uint8)
    grey = np.broadcast_to(ramp[None, :] if along == 0 else ramp[:, None], (shape[1], shape[0]))
    image = Image.fromarray(np.repeat(grey[..., None], 3, axis=2))
    pixels = levels(preprocessor.transform(preprocessor.from_pil(image), geometry), geometry)
    return np.asarray(pixels.mean(axis=(0, 1 if along == 0 else 2)), np.float64)


def test_opaque(differences: DifferencesOf, golden: Golden, preprocessor_name: str, judge: Judge, record: Record) -> None:
    """P3 opaque images (RGB, grey) give the reference's pixels within the preprocessor's budget."""
    hold_to_budget(differences, golden, preprocessor_name, "opaque", judge, record)


def test_transparent(differences: DifferencesOf, golden: Golden, preprocessor_name: str, judge: Judge) -> None:
    """P4 transparent images give the reference's pixels: resampled with their alpha, which is dropped only then."""
    hold_to_budget(differences, golden, preprocessor_name, "transparent", judge)


def test_orientation(differences: DifferencesOf, golden: Golden, preprocessor_name: str, judge: Judge) -> None:
    """P5 an EXIF orientation changes nothing: like the reference, pixels are taken as they are stored."""
    hold_to_budget(differences, golden, preprocessor_name, "turned", judge)


def test_converted(differences: DifferencesOf, golden: Golden, preprocessor_name: str, judge: Judge) -> None:
    """P6 palette, 1-bit, 16-bit and CMYK images give the reference's pixels within the preprocessor's budget."""
    hold_to_budget(differences, golden, preprocessor_name, "converted", judge)


def test_small(differences: DifferencesOf, golden: Golden, preprocessor_name: str, judge: Judge) -> None:
    """P8 an image smaller than R is enlarged as the reference enlarges it, within the preprocessor's budget."""
    hold_to_budget(differences, golden, preprocessor_name, "small", judge)


CONVERTED = {"transparent", "turned", "converted"}  # kinds that a decoder may hand over in another form than Pillow does


def test_sources(subjects: Subjects, preprocessor: Preprocessor, judge: Judge) -> None:
    """P7 an image in memory and its file give the same pixels, whatever the file is."""
    geometry = subjects.model.geometry
    excused = excused_traits(preprocessor, geometry) & CONVERTED  # of the file: an image in memory is not turned any more
    dataset, found = subjects.dataset, list[tuple[str, str, object]]()
    for name in (dataset.scenes[0], *dataset.odd):
        if excused.isdisjoint(subjects.traits(name)):
            found.append((name, dataset.path(name), subjects.raw_pixels(preprocessor.name, name)))
    for file, pixels in made_pixels(subjects, preprocessor):
        if excused.isdisjoint(file.traits) and isinstance(pixels, np.ndarray):
            found.append((file.name, file.path, pixels))
    differences = []
    for _, path, from_file in found:
        from_memory = preprocessor.transform(preprocessor.from_pil(decoded(path)), geometry)
        differences.append(float(np.abs(from_memory - np.asarray(from_file)).max()))
    if not found:
        pytest.skip(f"{preprocessor.name} declares that it differs on every kind of image there is")
    names = [name for name, _, _ in found]
    judge(
        Comparison(
            "largest difference of pixels from memory and from the file", np.array(differences), 0.0, names, "difference"
        )
    )
