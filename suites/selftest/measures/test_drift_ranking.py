"""The certificate of rankings against brute force: random errors of exactly the certified size, and the worst ones."""

import numpy as np
import pytest

from plugins.measures.drift.answers.answers import KINDS, SIDES, Answers, GoldenAnswers, Vectors
from plugins.measures.drift.answers.certificate import Errors, Index, angles, certified, slack
from plugins.measures.vectors.metrics import Float64, normalised
from plugins.measures.vectors.recall import top
from suites.selftest.measures.directions import D, turned, unit

TRIES = 10_000


def pair(rng: np.random.Generator) -> tuple[Float64, Float64, Float64]:
    """A query and two neighbours of it, the first nearer."""
    q = unit(rng)
    a, b = (turned(q, unit(rng), angle) for angle in np.sort(rng.uniform(0.3, 1.9, 2)))
    return q, a, b


def cosine_slack(q: Float64, a: Float64, b: Float64, alpha: float, beta_a: float, beta_b: float) -> float:
    return float(slack(q @ a, q @ b, a @ b, *map(np.asarray, (alpha, beta_a, beta_b))))


def largest_scale(q: Float64, a: Float64, b: Float64, sizes: tuple[float, float, float]) -> float:
    """The factor of `sizes` at which the certificate ends, by bisection."""
    low, high = 0.0, 4.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if cosine_slack(q, a, b, *(middle * s for s in sizes)) > 0 else (low, middle)
    return low


SHARES = {"queries": (1.0, 0.0, 0.0), "items": (0.0, 1.0, 0.6), "both": (0.7, 0.4, 1.0)}


@pytest.mark.parametrize("side", SIDES)
def test_random_errors_of_the_certified_size_change_nothing(side: str) -> None:
    """10,000 errors of exactly the certified size, each in a random direction, in 20 geometries: no violation."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        q, a, b = pair(rng)
        alpha, beta_a, beta_b = (largest_scale(q, a, b, SHARES[side]) * s for s in SHARES[side])
        moved = [turned(x, unit(rng, TRIES // 20), angle) for x, angle in ((q, alpha), (a, beta_a), (b, beta_b))]
        gaps = ((moved[1] - moved[2]) * moved[0]).sum(axis=-1)
        assert gaps.min() > -1e-12, (seed, gaps.min())


def worst_gap(q: Float64, a: Float64, b: Float64, sizes: tuple[float, float, float]) -> float:
    """The least <q',a'-b'> that errors of exactly these sizes reach, tried from every direction of span(q, a, b).

    The query that hurts most lies in that span, and items hurt most that turn away from it and towards it."""
    alpha, beta_a, beta_b = sizes
    basis = np.linalg.qr(np.stack([q, a, b]).T)[0]
    first = normalised(basis @ basis.T @ (a - (a @ q) * q))
    second = basis[:, :] @ np.cross(basis.T @ q, basis.T @ first)
    turn = np.linspace(0, 2 * np.pi, 7201)[:, None]
    moved = np.cos(alpha) * q + np.sin(alpha) * (np.cos(turn) * first + np.sin(turn) * second)
    to_a, to_b = (np.arccos(np.clip(moved @ x, -1, 1)) for x in (a, b))
    return float((np.cos(to_a + beta_a) - np.cos(to_b - beta_b)).min())


@pytest.mark.parametrize("side", SIDES)
def test_errors_in_the_worst_direction_change_nothing_within_the_bound_and_something_beyond(side: str) -> None:
    """Sharp where one side errs: a thousandth beyond the bound flips the pair. Where both err, a fifth beyond does."""
    beyond = 1.2 if side == "both" else 1.001
    for seed in range(200):
        q, a, b = pair(np.random.default_rng(seed))
        scale = largest_scale(q, a, b, SHARES[side])
        alpha, beta_a, beta_b = (scale * s for s in SHARES[side])
        assert worst_gap(q, a, b, (alpha, beta_a, beta_b)) > -1e-9, seed
        assert worst_gap(q, a, b, (alpha * beyond, beta_a * beyond, beta_b * beyond)) < 0, seed


def gallery(seed: int, queries: int = 40, items: int = 60) -> Answers:
    """Golden vectors in clusters around their queries, and a cell's that err by a few thousandths of a radian."""
    rng = np.random.default_rng(seed)
    q = unit(rng, queries)
    x = normalised(np.concatenate([q[: items // 2] + 0.8 * unit(rng, items // 2), unit(rng, items - items // 2)]))
    cell = Vectors(turned(q, unit(rng, queries), 4e-3), turned(x, unit(rng, items), rng.uniform(0, 6e-3, items)))
    gold = [[row % items, (7 * row + 1) % items] for row in range(queries)]
    return Answers(GoldenAnswers(Vectors(q, x), gold), cell)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", SIDES)
def test_certified_answers_survive_10000_errors(kind: str, side: str) -> None:
    """Whole galleries: every vector turned by exactly its own size, 10,000 queries in all; and some are not certified."""
    changed = certain = total = 0
    for seed in range(5):
        answers = gallery(seed)
        safe = answers.certified(kind, answers.errors(side))
        assert not (safe & answers.changed(kind, side)).any()
        rng, errors = np.random.default_rng(1000 + seed), answers.errors(side)
        for _ in range(TRIES // (5 * len(safe))):
            moved = Vectors(
                turned(answers.golden.vectors.queries, unit(rng, len(safe)), errors.queries),
                turned(answers.golden.vectors.items, unit(rng, len(errors.items)), errors.items),
            )
            other = Answers(answers.golden, moved).changed(kind, "both")
            assert not (safe & other).any()
            changed += int(other.sum())
        certain, total = certain + int(safe.sum()), total + len(safe)
    assert 0 < certain <= total
    assert kind in ("first", "hit") or changed > 0  # the errors do change answers that no certificate covers


def test_coarse_bound_and_whole_formula_certify_the_same() -> None:
    """Items far below are certified without the formula: it would have certified them too."""
    answers = gallery(3)
    errors = answers.errors("both").largest
    above = top(answers.golden.index.scores, 5)
    scores, between = answers.golden.index.scores, answers.golden.index.between
    least = np.full(len(above), np.inf)
    for column in range(scores.shape[1]):
        each = slack(
            np.take_along_axis(scores, above, 1),
            scores[:, [column]],
            between[above, column],
            errors.queries[:, None],
            errors.items[above],
            errors.items[[[column]]],
        ).min(axis=1)
        least = np.where((above == column).any(axis=1), least, np.minimum(least, each))
    assert (answers.certified("top5", errors) == (least > 1e-12)).all()


def test_nothing_is_certified_of_ties_or_of_vectors_that_are_no_numbers() -> None:
    """Equal items tie whatever the error; NaN is nowhere."""
    rng = np.random.default_rng(0)
    x = unit(rng, 5)
    index = Index.of(x, np.concatenate([x, x]))
    below = np.ones((5, 10), bool)
    np.put_along_axis(below, top(index.scores, 1), False, axis=1)
    assert not certified(index, top(index.scores, 1), below, Errors(np.zeros(5), np.zeros(10))).any()
    assert np.isnan(angles(np.full((1, D), np.nan), x[:1])).all()
    index = Index.of(x, x)
    found = certified(index, top(index.scores, 1), ~np.eye(5, dtype=bool), Errors(np.array([np.nan, 0, 0, 0, 0]), np.zeros(5)))
    assert found.tolist() == [False, True, True, True, True]
