"""Forecasts changed answers in larger galleries from the tail of wrong scores, and checks the method on a real gallery."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from plugins.measures.drift.answers.answers import Answers, GoldenAnswers
from plugins.measures.drift.answers.certificate import Bools
from plugins.measures.drift.answers.galleries import Gallery
from plugins.measures.drift.answers.tail import Tail, first_changes, fit, hit_changes, recall, within_reach
from plugins.measures.vectors.metrics import Float64, normalised
from plugins.measures.vectors.recall import Ints

SIZES = (1e4, 1e6, 1e8)
CURVE = tuple(float(10 ** (half / 2)) for half in range(6, 17))  # 10^3 to 10^8
PARTS = (0.5, 1.0, 2.0)  # factors on the usual number of excesses: they show how much the forecast depends on it
QUANTILES = (np.arange(25) + 0.5) / 25


@dataclass(frozen=True)
class Haystack:
    """The best right score of each query [Q] among the scenes, and a large gallery of wrong pictures."""

    queries: Float64  # [Q, D] golden's, normalised
    best: Float64
    gallery: Gallery

    @classmethod
    def of(cls, golden: GoldenAnswers, gallery: Gallery) -> "Haystack":
        """Return a haystack with right items from the data set and wrong ones from the gallery."""
        return cls(normalised(golden.vectors.queries), golden.best, gallery)

    @cached_property
    def rows(self) -> Float64:
        """The pictures' normalised vectors [P, D]."""
        return normalised(self.gallery.vectors)

    @cached_property
    def scores(self) -> Float64:
        """Golden's cosines [Q, P]; -inf for pictures that may be right."""
        return self._wrong(self.queries)

    def _wrong(self, queries: Float64) -> Float64:
        return np.asarray(np.where(self.gallery.wrong, queries @ self.rows.T, -np.inf))

    @cached_property
    def tails(self) -> dict[float, Tail]:
        """The fitted tails, by part of the usual number of excesses."""
        return {part: fit(self.scores, self.gallery.wrong, part) for part in PARTS}

    @cached_property
    def first(self) -> Ints:
        """Golden's first answer [Q]: a picture's row, or -1 for the right item."""
        return _first(self.best, self.scores)

    def changed(self, answers: Answers) -> Bools:
        """Return [Q]: True if the cell's query has another first answer than golden's, in the gallery that golden embedded."""
        queries = normalised(answers.cell.queries)
        moved = answers.scores("queries")
        best = np.where(answers.golden.right, answers.golden.index.scores, -np.inf).argmax(axis=1)
        return np.asarray(_first(moved[np.arange(len(best)), best], self._wrong(queries)) != self.first)


def _first(best: Float64, scores: Float64) -> Ints:
    found = scores.argmax(axis=1)
    return np.asarray(np.where(best >= scores[np.arange(len(best)), found], -1, found), np.int64)


def check(haystack: Haystack, small: int) -> dict[str, Any]:
    """Compare forecasts from the first `small` pictures with measurements on all pictures: recall and margins."""
    size, wrong = len(haystack.rows), haystack.gallery.wrong
    tail = fit(haystack.scores[:, :small], wrong[:, :small])
    top = -np.sort(np.partition(-haystack.scores, 10, axis=1)[:, :10], axis=1)
    found = {
        f"R@{k}": {
            "forecast": float(recall(tail, haystack.best, size, k).mean()),
            "measured": float((haystack.best > top[:, k - 1]).mean()),
        }
        for k in (1, 10)
    }
    two = -np.sort(-np.column_stack([haystack.best, top[:, :2]]), axis=1)[:, :2]
    margins = two[:, 0] - two[:, 1]
    for reach in (0.0003, 0.001, 0.003, 0.01):
        found[f"first two within {reach:g}"] = {
            "forecast": within_reach(tail, haystack.best, reach, size),
            "measured": float((margins <= reach).mean()),
        }
    return {"fitted_on": small, "size": size, "shape": tail.shape, "found": found}


def forecast(haystack: Haystack, differences: Float64, reach: float) -> dict[str, Any]:
    """Return the forecast shares of changed first answers and hits, for errors in score differences [M], by gallery size."""
    errors, tail = np.quantile(differences, QUANTILES), haystack.tails[1.0]
    rows = []
    for size in SIZES:
        each = [first_changes(other, haystack.best, errors, size) for other in haystack.tails.values()]
        rows.append(
            {
                "size": size,
                "first": each[PARTS.index(1.0)],
                "low": min(each),
                "high": max(each),
                "hit": float(hit_changes(tail, haystack.best, errors, size, 1).mean()),
                "uncertified": within_reach(tail, haystack.best, reach, size),
            }
        )
    curve = [first_changes(tail, haystack.best, errors, size) for size in CURVE]
    return {"sizes": rows, "curve": [{"size": size, "first": share} for size, share in zip(CURVE, curve, strict=True)]}
