"""The study of preprocessors: a bad resizer is called bad, equal decoders stand together, a missing package says so."""

import json
from pathlib import Path

import numpy as np
import pytest

from fixtures.capability import Array, Geometry
from fixtures.datasets import DEFAULT, load_dataset
from fixtures.errors import BadInput
from suites.studies.preprocessors import __main__ as program
from suites.studies.preprocessors import files, measure, page
from suites.studies.preprocessors.__main__ import TARGET
from suites.studies.preprocessors.decoders import DECODERS
from suites.studies.preprocessors.measure import Quality, Wanted, decodings, judged, quality, ratio, resized
from suites.studies.preprocessors.parts import Part, cropped, target, to_rgb
from suites.studies.preprocessors.resizers import RESIZERS, WHOLES

SIZE = Geometry(64)
SCENES = 12
PILLOW, REFERENCE = DECODERS[0], RESIZERS[0]
GOOD: Quality = {"mean_abs": 0.01, "max_abs": 0.1, "drift": 1e-5, "lost": 1, "won": 0, "n": 100}


def encode(pixels: Array) -> np.ndarray:
    """Vectors [N, D]: pixels of a coarse grid, which say where what colour is."""
    return np.asarray(pixels[:, :, ::8, ::8].reshape(len(pixels), -1), np.float64)


@pytest.fixture(scope="module")
def truth() -> Wanted:
    """The reference on some scenes, and texts of which each points where its own scene does."""
    found = files.of_dataset(load_dataset(DEFAULT), SCENES)
    own = measure.wanted(found, SIZE, encode, np.empty((0, 0)))
    texts = np.zeros((max(found.queries) + 1, own.vectors.shape[1]))
    for query, gold in zip(found.queries, found.gold, strict=True):
        texts[query] = own.vectors[gold[0]]
    return Wanted(found, own.pixels, own.vectors, texts)


def of(resizer: Part, truth: Wanted) -> Quality:
    """What the study says of a resizer."""
    ((_, pixels),) = resized(PILLOW, [resizer], truth.gallery, SIZE)
    return quality(pixels, truth, encode)


def planted(name: str, change: "np.ndarray | None" = None) -> Part:
    """A resizer that makes a negative, or rounds a level down in some places; `change` says where."""

    def call(image: object, geometry: Geometry) -> Array:
        right = np.asarray(REFERENCE.call(image, geometry))
        return -right if change is None else right - (change * 0.015).astype(np.float32)

    return Part(name, call, "", takes_image=True)


def test_a_bad_resizer_is_called_bad(truth: Wanted) -> None:
    """And the reference, and one that is a level off in a hundredth of its pixels, are not."""
    right = of(REFERENCE, truth)
    assert judged(right) == "same pixels" and right["lost"] == right["won"] == 0 and right["drift"] == 0
    rare = np.random.default_rng(0).random((3, 64, 64)) < 0.01
    assert judged(of(planted("a level off", rare), truth)) == "within 2e-4"
    negative = of(planted("negative"), truth)
    assert judged(negative) == "recall falls" and negative["drift"] > 0.1 and negative["lost"] > SCENES // 2


def test_lost_hits_are_weighed(truth: Wanted) -> None:
    """One of a hundred is chance; thirty are not."""
    assert judged(GOOD) == "other pixels"
    assert judged({**GOOD, "lost": 30}) == "recall falls"


def test_equal_decoders_stand_together(truth: Wanted) -> None:
    """By pixels of every file: one that exchanges red and blue stands alone."""
    swapped = Part("swapped", lambda path, geometry: to_rgb(PILLOW.call(path, geometry))[..., ::-1], "")
    again = Part("again", PILLOW.call, "")
    groups = decodings([PILLOW, swapped, again], truth.gallery, SIZE)
    assert [[part.name for part in parts] for parts in groups.values()] == [["Pillow", "again"], ["swapped"]]


QUICK = [
    part for part in (*DECODERS, *RESIZERS) if not part.missing() and "transformers" not in part.packages
]  # slow to import


@pytest.mark.parametrize("part", QUICK, ids=lambda part: part.name)
def test_every_part_that_is_installed(part: Part, truth: Wanted) -> None:
    """Gives the right geometry: pixels of a scene, as the reference gives them but for resampling."""
    path = truth.gallery.paths[0]
    if part in DECODERS:
        pixels = REFERENCE.call(REFERENCE.prepared(part.call(path, SIZE)), SIZE)
    else:
        pixels = part.call(part.prepared(PILLOW.call(path, SIZE)), SIZE)
    assert pixels.shape == (3, 64, 64) and pixels.dtype == np.float32
    assert np.abs(pixels - truth.pixels[0]).mean() < 0.35  # nearest neighbour; a squashed scene is 0.4 and more away


def test_missing_packages_say_how_to_get_them() -> None:
    """One sentence a row."""
    assert Part("x", PILLOW.call, "", {"no_such": "pip install no-such"}).missing() == (
        "package 'no_such' is not installed: pip install no-such"
    )
    names = [part.name for part in DECODERS], [part.name for part in RESIZERS], [part.name for part in WHOLES]
    assert all(len(each) == len(set(each)) for each in names)


def test_a_ratio_has_an_interval() -> None:
    """Of calls of which one does the other's work several times."""
    found = ratio(lambda: sum(range(4000)), lambda: sum(range(1000)), pairs=12)
    assert 1 < found["low"] <= found["ratio"] <= found["high"] and found["ms"] > 0


def test_crop_is_the_references() -> None:
    """From a wide array: the middle."""
    wide = np.zeros((64, 200, 3), np.uint8)
    new, corner = target(wide, SIZE)
    assert new == (200, 64) and cropped(wide, corner, SIZE).shape == (64, 64, 3)


def test_the_page_is_that_of_the_evidence() -> None:
    """Both are written by one command."""
    found = json.loads(Path(TARGET).read_text(encoding="utf-8"))
    assert TARGET.with_suffix(".md").read_text(encoding="utf-8") == page.markdown(found)


def test_bad_input_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As every study has it: exit code 4, and no traceback."""

    def none(*_: object) -> None:
        raise BadInput("no golden data: expected some")

    monkeypatch.setattr(program, "run", none)
    assert program.main(["--quick"]) == 4 and capsys.readouterr().err == "no golden data: expected some\n"
