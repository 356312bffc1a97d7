"""Search in stored vectors, drawn galleries, certificates and classes, by hand and with faults planted."""

import numpy as np
import pytest

from plugins.measures.drift.answers.answers import Answers, GoldenAnswers, Vectors
from plugins.measures.storage.beside_golden import filled_by, in_storage
from plugins.measures.storage.certificate import Exact, lengths
from plugins.measures.storage.gallery import draw, unit
from plugins.measures.storage.intervals import mean, share
from plugins.measures.storage.mixing import ANEW, HALF, OLD_INDEX, Bools, Change
from plugins.measures.storage.registry import forms
from plugins.measures.storage.search import EVERY, Found, best, overlap, together
from plugins.measures.vectors.metrics import cosine_distance, normalised
from plugins.measures.vectors.recall import top
from plugins.measures.vectors.same_answers import FEWEST


@pytest.mark.parametrize("columns", [7, 15 * 10 * EVERY])
def test_the_first_of_many(columns: int) -> None:
    """As a whole sort finds them, equal scores in index order, in narrow rows and in wide ones."""
    scores = np.random.default_rng(3).integers(0, 40, (6, columns)).astype(np.float32)
    found = best(scores, 5)
    assert (found.items == top(scores.astype(np.float64), 5)).all()
    assert (best(scores, 1).items == found.items[:, :1]).all()
    assert (found.scores == np.take_along_axis(scores, found.items, axis=1)).all()


def test_two_parts_are_one_index() -> None:
    """By score, and of equals the lower row first."""
    one = Found(np.array([[4, 0]]), np.array([[0.9, 0.2]]))
    other = Found(np.array([[1, 3]]), np.array([[0.9, 0.5]]))
    assert together(one, other).items.tolist() == [[1, 4]]
    assert overlap(np.array([[1, 4], [5, 6]]), np.array([[4, 2], [6, 5]])).tolist() == [0.5, 1.0]


@pytest.fixture(scope="module")
def scenes() -> np.ndarray:
    """Raw vectors that lie on one side, in few directions, as an image tower's do."""
    rng = np.random.default_rng(4)
    return np.asarray(3 * (rng.normal(size=(200, 6)) @ rng.normal(size=(6, 24)) + 4 + 0.1 * rng.normal(size=(200, 24))))


def test_a_drawn_gallery_is_like_its_scenes(scenes: np.ndarray) -> None:
    """Mean and covariance are the scenes'; the scenes come first; a seed gives the same gallery again."""
    gallery, own = draw(scenes, 5000, 1), normalised(scenes)
    assert gallery.items[:200] == pytest.approx(own)
    assert np.abs(gallery.items.mean(axis=0) - own.mean(axis=0)).max() < 0.01
    apart = np.linalg.norm(np.cov(gallery.items.T) - np.cov(own.T)) / np.linalg.norm(np.cov(own.T))
    assert apart < 0.15
    assert (draw(scenes, 5000, 1).items == gallery.items).all()
    assert (draw(scenes, 5000, 2).items != gallery.items)[200:].any()


def test_a_drawn_item_drifts_as_its_scene_does(scenes: np.ndarray) -> None:
    """One scene drifts, and only what is drawn of it; without drift nothing does, whatever the vectors' lengths."""
    gallery, other = draw(scenes, 3000, 1), scenes.copy()
    other[7] += 0.2 * scenes.std() * np.random.default_rng(5).normal(size=24)
    drift = cosine_distance(gallery.of(other), gallery.items)
    own = cosine_distance(other[7:8], scenes[7:8])[0]
    assert (drift[gallery.rows != 7] < 1e-15).all()
    assert np.abs(drift[gallery.rows == 7] / own - 1).max() < 0.5
    assert gallery.of(5 * scenes) == pytest.approx(gallery.items)
    assert gallery.right([[7], [8]], np.array([np.flatnonzero(gallery.rows == 7)[-1], 7])).tolist() == [True, False]


def test_a_certificate_is_true_and_sharp() -> None:
    """The worst errors just below half of the margin change nothing; just above they do, and nothing is certified."""
    a, b = np.array([1.0, 0, 0]), np.array([0.0, 1, 0])
    query = normalised(np.array([[0.8, 0.6, 0.0]]))
    exact = Exact(query, np.stack([a, b]), np.array([0]))
    half = float(query[0] @ (a - b)) / 2
    for size, holds in ((0.999 * half, True), (1.001 * half, False)):
        stored = np.stack([a - size * query[0], b + size * query[0]])
        assert ((query @ stored.T).argmax() == 0) == holds
        assert exact.certified(query.astype(np.float32), lengths(stored, exact.items)).tolist() == [holds]
    # A query that turns straight towards the other item, which does not err.
    towards = (b - a) / 2**0.5
    for size, holds in ((0.999 * half * 2**0.5, True), (1.001 * half * 2**0.5, False)):
        moved = (query + size * towards).astype(np.float32)
        assert exact.certified(moved, np.zeros(2)).tolist() == [holds]
        assert ((moved @ exact.items.T).argmax() == 0) == holds


def test_certified_answers_stay() -> None:
    """Whatever errors of these lengths are drawn; and some answers are certified, some are not."""
    rng = np.random.default_rng(6)
    queries, items = normalised(rng.normal(size=(40, 16))), normalised(rng.normal(size=(300, 16)))
    first = best(queries @ items.T, 1).first
    certified = []
    for _ in range(20):
        stored = items + 0.03 * normalised(rng.normal(size=items.shape)) * rng.uniform(0, 1, (300, 1))
        moved = unit(queries + 0.02 * normalised(rng.normal(size=queries.shape)))
        holds = Exact(queries, items, first).certified(moved, lengths(stored, items))
        assert (best(moved @ stored.T, 1).first == first)[holds].all()
        certified.append(holds.mean())
    assert 0.1 < np.mean(certified) < 0.9


def test_near_items_are_not_certified_by_round_off() -> None:
    """Two items so near that float32 hardly tells them apart, and a query that turns from one to the other."""
    rng, wrong = np.random.default_rng(10), []
    for _ in range(50):
        a, aside = normalised(rng.normal(size=(2, 192)))
        aside = normalised(aside - (aside @ a) * a)
        items = normalised(np.stack([a, a + 4e-4 * aside]))
        query = normalised(a - 0.05 * aside)[None]
        assert (query @ items.T).argmax() == 0
        moved = query + 0.1 * aside
        assert (moved @ items.T).argmax() == 1
        wrong += Exact(query, items, np.array([0])).certified(moved.astype(np.float32), np.zeros(2)).tolist()
    assert not any(wrong)


N = 300


def found(changed: int, wrong: int) -> tuple[Found, Bools]:
    """A search in which so many first answers are other ones, and so many are wrong."""
    items = np.zeros((N, 1), np.int64)
    items[:changed] = 1
    return Found(items, np.ones((N, 1))), np.arange(N) >= wrong


@pytest.mark.parametrize(
    ("old_index", "half", "anew", "round_off", "verdict"),
    [
        ((0, 0), (0, 0), (0, 0), True, "identical"),
        ((0, 0), (0, 0), (0, 0), False, "interchangeable"),
        ((1, 0), (0, 0), (0, 0), True, "interchangeable"),  # storage turned round-off into another answer
        ((20, 5), (20, 5), (40, 5), False, "interchangeable"),  # near ties
        ((N // 2, 0), (0, 0), (0, 0), False, "re-index"),  # as right as before, and other answers
        ((40, 20), (0, 0), (0, 0), False, "re-index"),
        ((0, 0), (40, 20), (0, 0), False, "re-index"),
        ((40, 20), (40, 20), (40, 20), False, "broken"),
        ((40, 20), (40, 20), (40, 20), True, "broken"),
    ],
)
def test_classes(
    old_index: tuple[int, int], half: tuple[int, int], anew: tuple[int, int], round_off: bool, verdict: str
) -> None:
    """Of changes that are planted in the mixtures, beside an index whose answers are all right."""
    after = {OLD_INDEX: found(*old_index), HALF: found(*half), ANEW: found(*anew)}
    assert Change(found(0, 0), after, round_off).verdict == verdict


def test_few_queries_give_no_class() -> None:
    """Nothing is lost of 50, which says little; what is within round-off needs no power."""
    before, same = found(0, 0), (Found(np.zeros((50, 1), np.int64), np.ones((50, 1))), np.ones(50, bool))
    after = dict.fromkeys((OLD_INDEX, HALF, ANEW), same)
    assert len(before[1]) >= FEWEST > 50
    assert [Change(same, after, round_off).verdict for round_off in (False, True)] == ["unjudged", "identical"]


def test_a_better_encoder_needs_its_own_index() -> None:
    """The mixtures are no worse than before, but a new index would be better."""
    after = {OLD_INDEX: found(0, 30), HALF: found(0, 15), ANEW: found(0, 0)}
    assert Change(found(0, 30), after, False).verdict == "re-index"


def test_intervals() -> None:
    """None of n seen: Clopper and Pearson's upper end. Paired differences that are all alike have no width."""
    assert share(np.zeros(100, bool))["high"] == pytest.approx(1 - 0.025 ** (1 / 100))
    assert mean(np.full(9, 0.25)) == {"value": 0.25, "low": 0.25, "high": 0.25}
    values = np.random.default_rng(7).normal(1, 2, 400)
    seen, wide = mean(values), 1.96 * values.std() / 400**0.5
    assert (seen["value"] - seen["low"], seen["high"] - seen["value"]) == pytest.approx((wide, wide), rel=0.15)


def test_beside_golden(scenes: np.ndarray) -> None:
    """In every form that can store so few: a cell with golden's vectors is identical, one that turns both towers is not."""
    rng = np.random.default_rng(9)
    golden = Vectors(scenes + 0.1 * rng.normal(size=scenes.shape), scenes)
    own = GoldenAnswers(golden, [[row] for row in range(len(scenes))])
    filled = filled_by(own)
    same = in_storage(filled, Answers(own, golden), True)
    assert {*same} == {*forms()} - {"pq"}
    assert {row["class"] for row in same.values()} == {"identical"}
    turn = np.linalg.qr(rng.normal(size=(24, 24)))[0]
    turned = in_storage(filled, Answers(own, Vectors(golden.queries @ turn, scenes @ turn)), False)
    assert turned["fp32"]["class"] == turned["int8"]["class"] == "re-index"
    assert all(row["same_first"] < 0.9 for row in turned.values())
    assert in_storage(filled, Answers(own, Vectors(golden.queries, 0 * scenes)), False) == {}
    narrow = Vectors(golden.queries[:, :9], scenes[:, :9])
    assert "binary" not in filled_by(GoldenAnswers(narrow, own.gold))
