"""The measures themselves: what they must see, and what they must not."""

from types import SimpleNamespace

import numpy as np
import pytest

from plugins.measures.latency import steady as latency
from plugins.measures.latency.steady import percentiles, warm_up
from plugins.measures.vectors.metrics import (
    METRICS,
    Comparison,
    absolute_difference,
    add_angles,
    cosine_distance,
    norm_ratio,
    normalised,
)
from plugins.measures.vectors.mixtures import others
from plugins.measures.vectors.recall import Flips, gold_ranks, kendall_tau, recalls, top
from plugins.measures.vectors.same_answers import Scores, neighbour_agreement

VECTORS = np.random.default_rng(0).normal(size=(20, 64)).astype(np.float32)


@pytest.mark.parametrize("metric", METRICS)
def test_equal_vectors_differ_by_nothing(metric: str) -> None:
    """Every metric is 0 on equal vectors."""
    assert METRICS[metric](VECTORS, VECTORS).max() == 0


def test_cosine_distance_resolves_tiny_angles() -> None:
    """An angle of 1e-7 shows as 5e-15, where 1 - a·b in float64 would already be mostly rounding."""
    turned = np.array([[np.cos(1e-7), np.sin(1e-7)]])
    assert cosine_distance(turned, np.array([[1.0, 0.0]]))[0] == pytest.approx(5e-15, rel=1e-3)


def test_norm_ratio_sees_scale_and_cosine_does_not() -> None:
    """A scaled embedding is a fault of length only."""
    assert norm_ratio(2 * VECTORS, VECTORS).max() == pytest.approx(1)
    assert cosine_distance(2 * VECTORS, VECTORS).max() < 1e-15


@pytest.mark.parametrize("values", [[np.nan], [np.inf, 0.0], []])
def test_nothing_and_not_a_number_are_no_success(values: list[float]) -> None:
    """NaN against any limit, and no values at all, are false."""
    assert not Comparison("x", np.array(values), 1e9, [str(v) for v in values])


def test_nan_against_nan_fails() -> None:
    """Two NaN rows are not equal."""
    rows = np.full((1, 4), np.nan)
    assert not Comparison("x", cosine_distance(rows, rows), 2.0, ["a"])


def test_worst_input_is_named() -> None:
    """The message holds metric, value, limit, input and how many are beyond."""
    text = str(Comparison("cosine_distance", np.array([0.0, 0.5, 0.2]), 0.1, ["a", "b", "c"]))
    assert all(part in text for part in ("cosine_distance is 0.5", "allowed 0.1", "worst input: b", "2 of 3"))


def test_angles_add() -> None:
    """Two drifts of 30 degrees reach 60 at most; tiny ones keep their precision."""
    thirty = 1 - np.cos(np.pi / 6)
    assert add_angles(thirty, thirty) == pytest.approx(0.5)
    assert add_angles(1e-14, 1e-14) == pytest.approx(4e-14, rel=1e-6)


def test_ties_are_misses() -> None:
    """A constant output finds nothing, at any k that matters."""
    same = np.ones((50, 8))
    ranks = gold_ranks(same, same, [[i] for i in range(50)])
    assert recalls(ranks) == {"r1": 0, "r5": 0, "r10": 0, "mr": 0}


def test_any_gold_counts() -> None:
    """A query with two gold items is a hit when either is first."""
    index = np.eye(4)
    assert gold_ranks(np.array([[0.0, 1, 0.1, 0]]), index, [[1, 3]])[0] == 0
    assert gold_ranks(np.array([[0.0, 1, 0.1, 0]]), index, [[3, 2]])[0] == 1


def test_nan_finds_nothing() -> None:
    """A NaN query is ranked last."""
    assert gold_ranks(np.full((1, 4), np.nan), np.eye(4), [[2]])[0] == 3


def test_flips_interval_is_exact_and_small_numbers_prove_nothing() -> None:
    """95 against 90 of 40 queries is noise; 40 lost and 2 won of 1000 is not. Clopper-Pearson by its definition."""
    assert Flips(lost=2, won=0, n=40).kept
    fallen = Flips(lost=40, won=2, n=1000)
    assert not fallen.kept
    assert fallen.interval[0] < fallen.change < fallen.interval[1] < 0


def test_eleven_lost_and_none_won_are_enough() -> None:
    """The smallest fall that is told from chance; two-sided 0.5^10 = 0.00098 < 0.001."""
    assert not Flips(lost=11, won=0, n=1300).kept
    assert Flips(lost=10, won=0, n=1300).kept


def test_kendall_tau_is_scipys() -> None:
    """Row by row, with ties and with a row of equal values."""
    from scipy.stats import kendalltau

    a, b = np.random.default_rng(0).integers(0, 6, (2, 50, 8)).astype(float)
    a[3] = 1.0
    assert kendall_tau(a, b) == pytest.approx([kendalltau(*rows).statistic for rows in zip(a, b, strict=True)], nan_ok=True)


@pytest.mark.parametrize("k", [0, 1, 3, 9, 20])
def test_top_is_a_stable_sort(k: int) -> None:
    """Equal scores in index order, where they straddle the last rank too; NaN and -inf come last."""
    scores = np.random.default_rng(0).integers(0, 4, (200, 9)).astype(float)
    scores[::3, 2], scores[::5, 4:] = np.nan, -np.inf
    assert np.array_equal(top(scores, k), np.argsort(-scores, axis=1, kind="stable")[:, :k])


def test_neighbour_agreement_of_itself() -> None:
    """A gallery agrees with itself fully and with noise hardly."""

    def scores(vectors: np.ndarray) -> Scores:
        return Scores(others(np.nan_to_num(normalised(vectors) @ normalised(vectors).T, nan=-np.inf)))

    golden, noise = scores(VECTORS), np.random.default_rng(1).normal(size=VECTORS.shape)
    assert neighbour_agreement(golden, scores(VECTORS)) == pytest.approx((1, 1))
    assert neighbour_agreement(golden, scores(noise))[0] < 0.6
    one = VECTORS.copy()
    one[0] = np.nan
    assert all(0.5 < figure < 1 for figure in neighbour_agreement(golden, scores(one)))  # the others' neighbours still count


def test_pixel_maximum_is_not_hidden_by_the_mean() -> None:
    """One wrong pixel shows in max_abs."""
    a = np.zeros((3, 8, 8))
    b = a.copy()
    b[0, 0, 0] = 3.8
    assert absolute_difference(a, b)["max_abs"] == pytest.approx(3.8)


def test_percentiles_are_ordered() -> None:
    """p50 ≤ p95 ≤ p99 ≤ max."""
    p = percentiles(np.random.default_rng(0).exponential(size=1000))
    assert p["min"] <= p["p50"] <= p["p95"] <= p["p99"] <= p["max"]
    assert p["n"] == 1000


def test_warm_up_reports_the_first_call_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first call that costs much more is seen, and the steady state does not hold it."""
    clock, costs = [0.0], iter([0.05, 0.02, *[0.002] * 200])
    monkeypatch.setattr(latency, "time", SimpleNamespace(perf_counter=lambda: clock[-1]))
    found = warm_up(lambda: clock.append(clock[-1] + next(costs)))
    assert found.calls_to_steady == 2
    assert (found.first_call_ms, found.steady_ms) == pytest.approx((50, 2))
