"""Drift beside margins: what the two best scores leave room for, and how many first answers larger galleries may change."""

import numpy as np
import pytest

from plugins.measures.drift.answers.answers import Answers, GoldenAnswers, Vectors
from plugins.measures.drift.answers.flips import golden_tail, may_flip, of_half_margin
from plugins.measures.vectors.metrics import normalised

QUERIES, ITEMS, WIDTH = 200, 600, 32


@pytest.fixture(scope="module")
def golden() -> Vectors:
    """Queries around the item that is their answer, all in one cone."""
    rng = np.random.default_rng(1)
    items = normalised(rng.standard_normal((ITEMS, WIDTH)) + 1.0)
    queries = items[:QUERIES] + 0.3 * rng.standard_normal((QUERIES, WIDTH))
    return Vectors(queries, items)


def moved(golden: Vectors, drift: float) -> Answers:
    """A cell whose queries have moved at random."""
    noise = np.random.default_rng(2).standard_normal(golden.queries.shape)
    own = GoldenAnswers(golden, [[row] for row in range(QUERIES)])
    return Answers(own, Vectors(golden.queries + drift * noise, golden.items))


def test_no_drift_changes_nothing(golden: Vectors) -> None:
    """Neither beside a margin nor in a gallery of any size."""
    answers = moved(golden, 0.0)
    tail = golden_tail(answers.golden)
    assert tail is not None
    found = may_flip(answers, tail)
    assert found["of_half_margin"]["max"] < 1e-9 and max(found["share"].values()) < 1e-9
    assert [*found["share"]] == ["1e4", "1e6", "1e8"]


def test_more_drift_and_larger_galleries_change_more(golden: Vectors) -> None:
    """Each share grows with both."""
    tail = golden_tail(moved(golden, 0.0).golden)
    assert tail is not None
    small, large = (may_flip(moved(golden, drift), tail) for drift in (1e-4, 1e-2))
    for found in (small, large):
        shares = list(found["share"].values())
        assert shares == sorted(shares) and shares[0] > 0 and shares[-1] <= 1
    assert all(small["share"][size] < large["share"][size] / 5 for size in small["share"])
    assert small["of_half_margin"]["median"] < large["of_half_margin"]["median"] / 50


def test_below_one_the_two_best_keep_their_order(golden: Vectors) -> None:
    """As defined: whatever the direction of the drift."""
    answers = moved(golden, 0.05)
    share, two = of_half_margin(answers), answers.golden.first[:, :2]
    now = np.take_along_axis(answers.scores("queries"), two, axis=1)
    swapped = now[:, 0] <= now[:, 1]
    assert swapped.any() and (share[swapped] >= 1).all() and (share < 1).any()


def test_the_forecast_is_near_what_happens(golden: Vectors) -> None:
    """In a gallery ten times as large, of the same law, with the same drift."""
    rng = np.random.default_rng(3)
    wide = Vectors(golden.queries, np.concatenate([golden.items, normalised(rng.standard_normal((9400, WIDTH)) + 1.0)]))
    tail = golden_tail(moved(golden, 0.0).golden)
    assert tail is not None
    forecast = may_flip(moved(golden, 0.05), tail)["share"]["1e4"]
    measured = float(moved(wide, 0.05).changed("first", "queries").mean())
    assert forecast == pytest.approx(measured, abs=0.07), (forecast, measured)


def test_few_images_have_no_forecast(golden: Vectors) -> None:
    """A tail needs ten scores above its threshold."""
    few = Vectors(golden.queries[:5], golden.items[:20])
    assert golden_tail(GoldenAnswers(few, [[row] for row in range(5)])) is None
