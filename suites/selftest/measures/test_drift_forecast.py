"""Forecasts for larger galleries against known laws, a simulation and a larger real gallery; verdicts, page and picture."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.datasets import load_dataset
from fixtures.errors import Unavailable
from plugins.golden.verified import Golden
from plugins.measures.drift.answers.answers import Answers, GoldenAnswers, Vectors
from plugins.measures.drift.answers.forecast import Haystack, check, forecast
from plugins.measures.drift.answers.galleries import compose, things
from plugins.measures.drift.answers.mixing import sentence, verdict
from plugins.measures.drift.answers.tail import Tail, first_changes, fit, recall, within_reach
from plugins.measures.vectors.metrics import Float64, normalised
from plugins.subjects import Subjects
from suites.selftest.conftest import Run
from suites.selftest.measures.directions import turned
from suites.studies.drift.gallery import gallery
from suites.studies.drift.ranking import audit_answers
from suites.studies.drift.ranking_page import markdown
from suites.studies.drift.ranking_plot import svg

PICTURES, FEW_PICTURES = 1800, 300


def test_a_tail_is_fitted_and_foretells_a_hundred_times_as_many() -> None:
    """Scores from a known law: shape within 0.05, recall and close pairs in 100 times as many within sampling error."""
    rng = np.random.default_rng(1)
    law = {"shape": -0.2, "scale": 0.05}

    def draw(*shape: int) -> Float64:
        return np.asarray(law["scale"] / law["shape"] * (rng.uniform(size=shape) ** -law["shape"] - 1))

    small, queries = 500, 800
    tail = fit(draw(queries, small), np.ones((queries, small), bool))
    assert abs(tail.shape - law["shape"]) < 0.05
    large = -np.sort(-draw(queries, 100 * small), axis=1)[:, :2]
    gold = rng.uniform(0.19, 0.25, queries)
    assert abs(recall(tail, gold, 100 * small, 1).mean() - (gold > large[:, 0]).mean()) < 0.05
    two = -np.sort(-np.column_stack([gold, large]), axis=1)
    measured = (two[:, 0] - two[:, 1] < 0.002).mean()
    assert within_reach(tail, gold, 0.002, 100 * small) == pytest.approx(measured, abs=0.05)


def test_changes_are_those_of_a_simulation() -> None:
    """Forecast first answers that change against the same law played out 20,000 times."""
    rng, size, runs = np.random.default_rng(2), 1e5, 20_000
    tail = Tail(np.zeros(1), np.full(1, 0.05), -0.2, np.full(1, 0.1))
    gold, error = np.array([0.20]), 0.004
    counts = np.cumsum(rng.exponential(size=(runs, 12)), axis=1)
    scores = np.column_stack([np.full(runs, gold[0]), tail.level(counts.reshape(1, -1), size).reshape(runs, 12)])
    moved = scores + rng.normal(0, error / np.sqrt(2), scores.shape)
    played = (scores.argmax(axis=1) != moved.argmax(axis=1)).mean()
    differences = np.abs(rng.normal(0, error, 400))
    assert first_changes(tail, gold, differences, size) == pytest.approx(played, rel=0.15)


def test_too_small_a_gallery_is_refused() -> None:
    """A tail of fewer than ten scores says nothing."""
    with pytest.raises(ValueError, match="expected at least 10"):
        fit(np.zeros((3, 50)), np.ones((3, 50), bool))


@pytest.fixture(scope="module")
def itself(subjects: Subjects, golden: Golden) -> Answers:
    """Golden beside golden."""
    wanted = Vectors(golden.text[: len(subjects.dataset.queries)], golden.image[: len(subjects.dataset.scenes)])
    return Answers(GoldenAnswers(wanted, subjects.dataset.gold_images), wanted)


@pytest.fixture(scope="module")
def haystack(subjects: Subjects, itself: Answers) -> Haystack:
    """3,000 real pictures."""
    return Haystack.of(itself.golden, gallery(subjects, PICTURES))


@pytest.fixture(scope="module")
def small(subjects: Subjects, itself: Answers) -> Haystack:
    """As many as a forecast can be made from, quickly embedded."""
    return Haystack.of(itself.golden, gallery(subjects, FEW_PICTURES))


def drifted(itself: Answers, angle: float, seed: int = 0) -> Answers:
    """A cell whose vectors are all `angle` off."""
    rng = np.random.default_rng(seed)
    sides = [
        turned(normalised(x), rng.normal(size=x.shape), angle)
        for x in (itself.golden.vectors.queries, itself.golden.vectors.items)
    ]
    return Answers(itself.golden, Vectors(*sides))


@pytest.mark.long
def test_the_tail_of_300_pictures_foretells_3000(haystack: Haystack) -> None:
    """Recall to three points, close calls to a third or half a point."""
    found = check(haystack, 300)["found"]
    for what, each in found.items():
        spread = 0.03 if what.startswith("R@") else max(0.005, each["measured"] / 3)
        assert abs(each["forecast"] - each["measured"]) < spread, (what, each)
    assert found["R@1"]["measured"] < found["R@10"]["measured"] < 1


@pytest.mark.long
@pytest.mark.parametrize("angle", [0.01, 0.04])
def test_changes_in_the_larger_gallery_are_those_foretold(itself: Answers, haystack: Haystack, angle: float) -> None:
    """First answers that change among 3,000 real pictures, as many as forecast: within a 99.9 % Poisson interval."""
    from scipy.stats import poisson

    cell = drifted(itself, angle)
    errors = np.quantile(cell.differences("queries"), (np.arange(25) + 0.5) / 25)
    expected = 1300 * first_changes(haystack.tails[1.0], haystack.best, errors, PICTURES)
    low, high = poisson.interval(0.999, expected)
    assert low <= haystack.changed(cell).sum() <= high
    assert expected > 3


def test_pictures_hold_the_scenes_they_say(subjects: Subjects) -> None:
    """Every quarter is one of the chosen scenes, mirrored or not, and all of them are in the picture."""
    rng = np.random.default_rng(0)
    squares = rng.normal(size=(5, 3, 4, 4)).astype(np.float32)
    for chosen in (np.array([1, 3]), np.array([0, 2, 4])):
        picture = compose(squares, chosen, rng)
        quarters = [picture[:, y : y + 4, x : x + 4] for y in (0, 4) for x in (0, 4)]
        seen = [
            int(scene)
            for quarter in quarters
            for scene in range(5)
            if any(np.array_equal(quarter, squares[scene][:, :, ::way]) for way in (1, -1))
        ]
        assert len(seen) == 4 and set(seen) == set(chosen.tolist())
    known = things(subjects.dataset)
    shown = np.zeros((1, known.named.shape[1]), bool)
    shown[0, known.of_scene[known.scenes == 0]] = True
    texts = [query.text for query, wrong in zip(subjects.dataset.queries, known.wrong(shown)[:, 0], strict=True) if not wrong]
    assert texts == [query.text for query in subjects.dataset.queries if query.labels == 1 and 0 in query.images]


def test_a_data_set_with_too_few_scenes_of_one_thing_has_no_larger_gallery(dataset: Path) -> None:
    """Said in one sentence, with what to add."""
    with pytest.raises(Unavailable, match=r"has 2 scenes of one thing, expected 12 or more .* add queries"):
        things(load_dataset(dataset))


def curve(*shares: float) -> list[dict[str, float]]:
    """A forecast at 10^3, 10^4 …"""
    return [{"size": 10.0 ** (3 + i), "first": share} for i, share in enumerate(shares)]


def test_verdicts(itself: Answers) -> None:
    """Small errors mix, at all sizes or up to one; a rotation of both towers needs a re-index; noise is helped by none."""
    small, large = drifted(itself, 1e-4), drifted(itself, 0.3)
    flat, rising, high = curve(0, 0.001), curve(0.001, 0.02), curve(0.2, 0.4)
    assert verdict(small, flat, flat)["verdict"] == "mix"
    assert verdict(small, rising, flat)["verdict"] == "mix up to" and verdict(small, rising, flat)["mixed_up_to"] == 1e3
    assert verdict(large, high, high)["verdict"] == "either way"
    known = itself.golden.vectors
    rotated = Answers(itself.golden, Vectors(known.queries[:, ::-1], known.items[:, ::-1]))
    found = verdict(rotated, high, flat)
    assert found["verdict"] == "re-index" and found["changed_reindexed"] == 0 and sentence(found).startswith("re-index")


def test_page_and_picture_hold_the_figures(itself: Answers, small: Haystack) -> None:
    """What audit_ranking gives survives JSON and can be read and drawn, with and without a larger gallery."""
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    cell = {"backend": "mine", "precision": "fp16", **audit_answers(drifted(itself, 0.01), small)}
    found: dict[str, Any] = {
        "queries": 1300,
        "items": 650,
        "cells": [cell],
        "gallery": check(small, FEW_PICTURES // 2),
        "skipped": [{"backend": "yours", "precision": "fp8", "reason": "no such device"}],
        "margins": {k: np.linspace(1e-4, 0.2, 101).tolist() for k in ("1", "10")},
    }
    found = json.loads(json.dumps(found))
    page = markdown(found)
    for text in ("| mine fp16 | old fp32 index", "at 10^8", "yours fp8: not measured: no such device", "- mine fp16: mix"):
        assert text in page
    assert svg(found) == svg(found) and "<svg" in svg(found)
    del found["gallery"], cell["forecast"], cell["larger"], cell["mixing"]
    found |= {"cells": [cell], "no_gallery": "too few scenes"}
    assert "No forecast for larger galleries: too few scenes." in markdown(found) and "<svg" in svg(found)


def test_forecasts_grow_with_the_gallery_and_with_the_error(itself: Answers, small: Haystack) -> None:
    """More wrong pictures and larger errors change more first answers; the range holds the figure."""
    shares = []
    for angle in (0.001, 0.01):
        rows = forecast(small, drifted(itself, angle).differences("queries"), 0.01)["sizes"]
        assert all(row["low"] <= row["first"] <= row["high"] <= 1 for row in rows)
        shares.append([row["first"] for row in rows])
        assert shares[-1] == sorted(shares[-1])
    assert all(small < large for small, large in zip(*shares, strict=True))


def test_a_rotated_cell_is_told_to_re_index(run: Run, few: list[str], tmp_path: Path) -> None:
    """Both towers' dimensions reversed: searching its own index is golden's search, beside the old index it is noise."""
    options = [
        "-p",
        "suites.selftest.planted.misdeclared_backends",
        "--preprocessor",
        "original_clip",
        "suites/drift/test_ranking.py",
    ]
    done = run("--backend", "rotated,clean", *options, *few, env={"PLANT": "rotated,clean"})
    cells = {cell["backend"]: cell for cell in json.loads((tmp_path / "report.json").read_text())["cells"]}
    assert cells["rotated"]["broken_promises"] == ["D5"] and "re-index before these queries are used" in done.stdout
    assert (
        cells["clean"]["verdict"] == "pass" and cells["clean"]["ranking"]["text_to_image"]["both"]["top10"]["certified"] == 1.0
    )
