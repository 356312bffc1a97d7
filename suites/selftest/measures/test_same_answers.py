"""A class is judged by golden's own answers too, so that a model that finds nothing cannot win one."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from plugins.measures.vectors.mixtures import MIXTURES, PURE, Retrieval, class_of, retrieve
from plugins.measures.vectors.same_answers import FEWEST, SameAnswers, Scores, same_answers, stay, would_see

RNG = np.random.default_rng(5)
COSINES = RNG.uniform(-1, 1, (400, 60))
MISSES: Any = dict.fromkeys(("text_to_image", "image_to_text"), dict.fromkeys(MIXTURES, np.full(300, 7)))


def test_answers_that_change() -> None:
    """40 of 400 first answers, none of the others: too many; 25 may be 20 by chance."""
    for changed, kept in ((0, True), (25, True), (40, False)):
        found = COSINES.copy()
        best = COSINES[:changed].argmax(axis=1)
        found[np.arange(changed), best] = np.sort(COSINES[:changed], axis=1)[:, -2] - 1e-3  # the second is the first now
        same = same_answers(Scores(COSINES), Scores(found))
        assert same.shares == pytest.approx((1 - changed / 400, 1.0))
        assert same.kept is kept


def test_the_nearest_that_change() -> None:
    """First answers stay and one in ten of the nearest goes: not kept."""
    found, order = COSINES.copy(), np.argsort(-COSINES, axis=1)
    found[np.arange(400), order[:, 9]] = -2
    same = same_answers(Scores(COSINES), Scores(found))
    assert same.shares == pytest.approx((1.0, 0.9))
    assert not same.kept
    assert "100.0% of first answers and 90.0% of the nearest 10 stay" in str(same)


def test_a_copy_is_as_good_an_answer() -> None:
    """Two copies of an image in the index: either is golden's answer; an index of fewer than ten has fewer nearest."""
    golden = Scores(np.array([[0.9, 0.9 - 1e-9, 0.1]] * 5))
    assert same_answers(golden, Scores(np.array([[0.8, 0.9, 0.1]] * 5))).shares == (1, 1)
    assert same_answers(golden, Scores(np.array([[0.1, 0.2, 0.9]] * 5))).shares == (0, 1)


def test_chance_is_allowed_for() -> None:
    """A few queries prove little."""
    assert stay(3, 4)
    assert not stay(0, 3)
    assert not stay(900, 1000)


def test_the_class() -> None:
    """Vectors that keep recall and no answers need an index of their own; those within round-off need no comparison."""
    assert class_of(True, False, lambda _: True, lambda _: False, 300) == "re-index"
    assert class_of(True, True, lambda _: True, lambda _: False, 3) == "identical"
    assert class_of(True, False, lambda _: True, lambda _: True, 300) == "interchangeable"


def test_power() -> None:
    """Few answers would show a large loss only: what they do not show earns no class."""
    assert would_see(2) == math.inf
    assert all(would_see(answers) <= 0.15 for answers in range(FEWEST, 1000, 7)) and would_see(FEWEST - 1) > 0.15
    assert class_of(True, False, lambda _: True, lambda _: True, FEWEST - 1) == "unjudged"
    assert class_of(True, False, lambda _: True, lambda _: True, FEWEST) == "interchangeable"
    assert class_of(True, False, lambda _: True, lambda _: False, 5) == "re-index"


def unrelated() -> tuple[np.ndarray, np.ndarray]:
    """Images and texts."""
    return RNG.normal(size=(200, 16)).astype(np.float32), RNG.normal(size=(300, 16)).astype(np.float32)


def test_a_model_that_finds_nothing_gives_no_class_away() -> None:
    """Unrelated vectors with the same recall, of none: labels cannot see it, answers do."""
    known, others = unrelated(), unrelated()
    queries = [SimpleNamespace(labels=1)] * 300
    dataset: Any = SimpleNamespace(gold_images=[[0]] * 300, gold_texts=[[*range(300)], *[[]] * 199], queries=queries)
    limits = np.zeros(200), np.zeros(300)
    for found, verdict in ((others, "re-index"), ((known[0] + np.float32(1e-4), known[1]), "interchangeable")):
        one = replace(retrieve(dataset, found[0], found[1], known[0], known[1], limits), **MISSES)
        assert one.verdict == verdict
    assert "% of first answers" in one.evidence


def test_random_weights_have_a_class_too() -> None:
    """Their labels mean nothing: all hits lost, and golden's answers the same."""
    images, texts = (RNG.normal(size=(120, 16)).astype(np.float32) for _ in range(2))
    ranks = {mixture: np.full(120, 7 if mixture == PURE else 0) for mixture in MIXTURES}
    kept = SameAnswers(np.ones(120, bool), np.ones(120))
    same = dict.fromkeys(MIXTURES[1:], (kept, kept))
    for labelled, verdict in ((True, "broken"), (False, "interchangeable")):
        pairs = (images, images), (texts, texts)
        one = Retrieval(ranks, ranks, same, None, np.ones(120, int), *pairs, False, True, labelled)
        assert one.verdict == verdict
