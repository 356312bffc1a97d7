"""A class is judged by golden's own answers too, so that a model that finds nothing cannot win one."""

import numpy as np
import pytest

from plugins.measures.vectors.mixtures import Retrieval, class_of
from plugins.measures.vectors.same_answers import same_answers, stay

RNG = np.random.default_rng(5)
COSINES = RNG.uniform(-1, 1, (400, 60))


def test_answers_that_change() -> None:
    """40 of 400 first answers, none of the others: too many; 25 may be 20 by chance."""
    for changed, kept in ((0, True), (25, True), (40, False)):
        found = COSINES.copy()
        best = COSINES[:changed].argmax(axis=1)
        found[np.arange(changed), best] = np.sort(COSINES[:changed], axis=1)[:, -2] - 1e-3  # the second is the first now
        same = same_answers(COSINES, found)
        assert same.shares == pytest.approx((1 - changed / 400, 1.0))
        assert same.kept is kept


def test_the_nearest_that_change() -> None:
    """First answers stay and one in ten of the nearest goes: not kept."""
    found, order = COSINES.copy(), np.argsort(-COSINES, axis=1)
    found[np.arange(400), order[:, 9]] = -2
    same = same_answers(COSINES, found)
    assert same.shares == pytest.approx((1.0, 0.9))
    assert not same.kept
    assert "100.0% of first answers and 90.0% of the nearest 10 stay" in str(same)


def test_a_copy_is_as_good_an_answer() -> None:
    """Two copies of an image in the index: either is golden's answer; an index of fewer than ten has fewer nearest."""
    golden = np.array([[0.9, 0.9 - 1e-9, 0.1]] * 5)
    assert same_answers(golden, np.array([[0.8, 0.9, 0.1]] * 5)).shares == (1, 1)
    assert same_answers(golden, np.array([[0.1, 0.2, 0.9]] * 5)).shares == (0, 1)


def test_chance_is_allowed_for() -> None:
    """A few queries prove little."""
    assert stay(3, 4)
    assert not stay(0, 3)
    assert not stay(900, 1000)


def test_the_class() -> None:
    """Vectors that keep recall and no answers need an index of their own; those within round-off need no comparison."""
    assert class_of(True, False, lambda _: True, lambda _: False) == "re-index"
    assert class_of(True, True, lambda _: True, lambda _: False) == "identical"
    assert class_of(True, False, lambda _: True, lambda _: True) == "interchangeable"


def test_a_model_that_finds_nothing_gives_no_class_away() -> None:
    """Unrelated vectors with the same recall, of none: labels cannot see it, answers do."""

    def unrelated() -> tuple[np.ndarray, np.ndarray]:
        return RNG.normal(size=(200, 16)).astype(np.float32), RNG.normal(size=(300, 16)).astype(np.float32)

    (images, texts), (other_images, other_texts) = unrelated(), unrelated()
    misses = {
        mixture: np.full(300, 7) for mixture in (("golden", "golden"), ("golden", "cell"), ("cell", "golden"), ("cell", "cell"))
    }
    for found, verdict in (((other_images, other_texts), "re-index"), ((images + np.float32(1e-4), texts), "interchangeable")):
        one = Retrieval(misses, misses, np.ones(300, int), (images, found[0]), (texts, found[1]), False, True)
        assert one.verdict == verdict
    assert "% of first answers" in one.evidence
