"""The study of stored vectors: encoders of a known effect get the class that they must, and the page says what was measured."""

import copy
import json
from typing import Any

import numpy as np
import pytest

from fixtures.capability import Array
from plugins.measures.storage.floats import Fp32
from plugins.measures.storage.form import Form
from plugins.measures.storage.gallery import draw
from plugins.measures.storage.mixing import ANEW, HALF, OLD_INDEX
from plugins.measures.storage.registry import forms
from plugins.measures.storage.scalars import Int8
from plugins.measures.vectors.metrics import Float64, normalised
from plugins.measures.vectors.recall import Ints
from suites.studies.storage import __main__ as program
from suites.studies.storage import page, plot
from suites.studies.storage.apart import Reference
from suites.studies.storage.forms import Measured
from suites.studies.storage.indexes import Index, measured
from suites.studies.storage.subjects import GOLDEN, Searched, Vectors, name_of

SCENES, WIDTH = 120, 16


@pytest.fixture(scope="module")
def searched() -> Searched:
    """Encoders that do nothing, turn all vectors alike, lose which image is which, and round to bf16; a query a scene."""
    rng = np.random.default_rng(8)
    scenes = normalised(rng.normal(size=(SCENES, WIDTH)))
    queries = normalised(scenes + 0.1 * rng.normal(size=scenes.shape))
    turned = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
    cells = {
        GOLDEN: (queries, scenes),
        "same": (queries.copy(), scenes.copy()),
        "turned": (queries @ turned, scenes @ turned),
        "lost": (queries, scenes[rng.permutation(SCENES)]),
        "rounded": (cut_off(queries), cut_off(scenes)),
    }
    vectors = {name: Vectors(normalised(one), normalised(other)) for name, (one, other) in cells.items()}
    return Searched(vectors, draw(scenes, 1500, 1), [[row] for row in range(SCENES)], {}, (1e-12, 1e-12))


def cut_off(vectors: Float64) -> Array:
    """With 8 bits left of each number, as bf16 has."""
    return (vectors.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)


@pytest.fixture(scope="module")
def reference(searched: Searched) -> Reference:
    """Exact search."""
    return Reference(searched)


@pytest.fixture(scope="module")
def found(searched: Searched, reference: Reference) -> dict[str, Any]:
    """Evidence of two forms and of an index that is not installed."""
    forms = [{**Measured(form, searched, reference).as_json(), "bytes": 1} for form in (Fp32(), Int8())]
    return {
        "command": "make storage",
        "seconds": 1.0,
        "processor_s": 2.0,
        "date": "2026-11-30",
        "commit": "abc",
        "environment": {"cpu": "a processor", "cores": 2},
        "model": {"name": "a model", "width": WIDTH},
        "gallery": {"items": 1500, "scenes": SCENES, "queries": SCENES, "k": 10},
        "cells": [reference.drift(cell) for cell in searched.vectors],
        "skipped": {"deepsparse int8": "package 'deepsparse' is not installed"},
        "forms": forms,
        "indexes": [measured(Nowhere(), searched, reference)],
        "pictures": {"left_out": "too few scenes"},
    }


UNCALLED = "its package is missing, and it was called"


class Nowhere(Index):
    """Of a package that nobody has."""

    name, meaning, form = "nowhere", "an index", "fp32"
    packages, distribution = {"no_such_index": "pip install no-such-index"}, "no-such-index"

    def train(self, items: Array, form: Form | None) -> None:
        raise AssertionError(UNCALLED)

    def store(self, items: Array) -> None:
        raise AssertionError(UNCALLED)

    def search(self, queries: Array, k: int) -> Ints:
        raise AssertionError(UNCALLED)


class Forgetful(Nowhere):
    """Exact, but it loses every third item."""

    packages: Any = {}

    def train(self, items: Array, form: Form | None) -> None:
        self.kept: Array

    def store(self, items: Array) -> None:
        self.kept = items.copy()
        self.kept[::3] = 0

    def search(self, queries: Array, k: int) -> Ints:
        return np.argsort(-(queries @ self.kept.T), axis=1)[:, :k]


@pytest.mark.parametrize("number", [0, 1], ids=["fp32", "int8"])
@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (GOLDEN, "rounded", "interchangeable"),
        (GOLDEN, "turned", "re-index"),  # both towers alike: recall stays, but only with an index of its own
        ("turned", GOLDEN, "re-index"),
        (GOLDEN, "lost", "broken"),
        ("lost", GOLDEN, "re-index"),
        (GOLDEN, "same", "identical"),
    ],
)
def test_planted_encoders(found: dict[str, Any], number: int, old: str, new: str, verdict: str) -> None:
    """Each gets its class, in every form."""
    row = page.one(found["forms"][number]["mixing"], old=old, new=new)
    assert row["verdict"] == verdict
    assert (row[HALF]["same_first"]["value"] == 1) == (verdict == "identical") or verdict == "interchangeable"


def test_losses_are_told_apart(found: dict[str, Any]) -> None:
    """fp32 adds nothing to an encoder's drift, int8 does; an encoder that turns all loses all of the old index."""
    fp32, int8 = found["forms"]
    for cell in ("same", "rounded", "turned"):
        assert abs(page.one(fp32["old_index"], cell=cell, queries="fp32")["added"]["value"]) < 1e-9
    alone = page.one(int8["old_index"], cell=GOLDEN, queries="fp32")
    assert -0.1 < alone["added"]["high"] < 0 and alone["recall"]["value"] == pytest.approx(1 + alone["added"]["value"])
    drift = page.one(found["cells"], cell="turned")["recall"]
    assert drift[OLD_INDEX]["high"] < 0.1 < drift[ANEW]["low"]


def test_certificates_shrink(found: dict[str, Any]) -> None:
    """With storage's error, with drift, and to nothing for an encoder that turns all."""
    fp32, int8 = (
        {row["cell"]: row["share"] for row in form["certified"] if row["index"] == OLD_INDEX} for form in found["forms"]
    )
    assert fp32[GOLDEN] > int8[GOLDEN] > int8["rounded"] >= 0
    assert int8["turned"] == 0


def test_an_index_that_loses_items(searched: Searched, reference: Reference) -> None:
    """Its loss is its own with every cell; scores of what it finds differ from those of what ours finds."""
    row = measured(Forgetful(), searched, reference)
    assert page.one(row["cells"], cell=GOLDEN)["recall"]["high"] < 0.8
    assert page.one(row["cells"], cell="rounded")["added"]["high"] < -0.2
    assert row["agrees"]["same"] < 0.8 and row["agrees"]["largest_gap"] > 0.01


def test_the_page(found: dict[str, Any]) -> None:
    """Every form and cell, what is missing with its command, and what could not run with its reason."""
    text = page.markdown(found)
    assert "- nowhere: package 'no_such_index' is not installed: pip install no-such-index" in text
    assert "- deepsparse int8: not measured: package 'deepsparse'" in text
    verdicts = [row["verdict"] for form in found["forms"] for row in form["mixing"]]
    for verdict in ("re-index", "broken"):
        assert text.count(f"**{verdict}**") == verdicts.count(verdict) > 5
    worse = copy.deepcopy(found)
    row = page.one(worse["forms"][0]["mixing"], old=GOLDEN, new="same")
    worse["forms"][0]["mixing"] = [
        {**each, "verdict": "broken"} if each is row else each for each in worse["forms"][0]["mixing"]
    ]
    assert page.markdown(worse).count("**broken**") == verdicts.count("broken") + 1


def test_the_evidence_is_as_measured() -> None:
    """The page says what the figures beside it say; all forms and indexes are there, and exact ones agree."""
    measured = json.loads(program.TARGET.read_text(encoding="utf-8"))
    assert program.TARGET.with_suffix(".md").read_text(encoding="utf-8") == page.markdown(measured)
    assert [form["form"] for form in measured["forms"]] == [*forms()]
    assert {row["index"] for row in measured["indexes"]} == {index.name for index in program.LIBRARIES}
    assert all(row["agrees"]["largest_gap"] < 1e-6 for row in measured["indexes"] if row["form"])


def test_the_picture() -> None:
    """Of the evidence, with a box for each form and cell."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: make setup")
    measured = json.loads(program.TARGET.read_text(encoding="utf-8"))
    text = plot.svg(measured)
    boxes = sum(text.count(f"fill: {colour}") for colour in plot.CLASSES.values())
    assert boxes >= len(measured["forms"]) * (len(measured["cells"]) - 1)
    measured["cells"] = [cell for cell in measured["cells"] if cell["cell"] != plot.DRIFTS]
    assert plot.svg(measured) != text  # of a machine that skips it


def test_names() -> None:
    """The reference's preprocessor goes without saying."""
    assert name_of(("onnxruntime", "int8", "original_clip")) == "onnxruntime int8"
    assert name_of(("onnxruntime", "int8", "opencv_based")) == "onnxruntime int8 opencv_based"
