"""The answers of a search: which of them a cell changed, and which no error of the measured size can change."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from plugins.measures.drift.answers.certificate import Bools, Errors, Index, angles, certified
from plugins.measures.vectors.metrics import Float64, normalised
from plugins.measures.vectors.recall import Ints, top

KINDS = ("first", "top5", "top10", "hit")
SIDES = ("queries", "items", "both")
SIDE_MEANING = {
    "queries": "old fp32 index, this cell's queries",
    "items": "this cell's index, old fp32 queries",
    "both": "this cell's index and queries (re-indexed)",
}
DEPTH = 10  # first ranks whose neighbouring score differences are samples of the error


@dataclass(frozen=True)
class Vectors:
    """Raw embeddings of queries [Q, D] and of indexed items [N, D]."""

    queries: NDArray[np.floating]
    items: NDArray[np.floating]


@dataclass(frozen=True)
class GoldenAnswers:
    """Golden's vectors, the right items of each query, and the answers that follow: computed once, for all cells."""

    vectors: Vectors
    gold: Sequence[Sequence[int]]

    @cached_property
    def index(self) -> Index:
        """The cosines of golden's vectors."""
        return Index.of(self.vectors.queries, self.vectors.items)

    @cached_property
    def right(self) -> Bools:
        """True for the right items of each query [Q, N]."""
        mask = np.zeros(self.index.scores.shape, bool)
        for row, items in enumerate(self.gold):
            mask[row, list(items)] = True
        return mask

    @cached_property
    def best(self) -> Float64:
        """The score of each query's best right item [Q]."""
        return np.asarray(np.where(self.right, self.index.scores, -np.inf).max(axis=1))

    @cached_property
    def first(self) -> Ints:
        """The first items of each query [Q, DEPTH + 1]."""
        return top(self.index.scores, DEPTH + 1)

    def margins(self, k: int) -> Float64:
        """Return the score at rank k minus the score at rank k + 1 [Q]."""
        best = np.take_along_axis(self.index.scores, self.first, axis=1)
        k = min(k, best.shape[1] - 1)
        return np.asarray(best[:, k - 1] - best[:, k])


@dataclass(frozen=True)
class Answers:
    """Golden's answers, and those from a cell's vectors."""

    golden: GoldenAnswers
    cell: Vectors

    def errors(self, side: str) -> Errors:
        """Return every vector's measured angle to golden's; zero on a side that uses golden's vectors."""
        golden = self.golden.vectors
        queries, items = angles(self.cell.queries, golden.queries), angles(self.cell.items, golden.items)
        return Errors(queries * (side != "items"), items * (side != "queries"))

    def scores(self, side: str) -> Float64:
        """Return the cosines [Q, N] in this mixture."""
        queries = self.golden.vectors.queries if side == "items" else self.cell.queries
        items = self.golden.vectors.items if side == "queries" else self.cell.items
        return np.asarray(normalised(queries) @ normalised(items).T)

    @cached_property
    def _first_of_cell(self) -> dict[str, Ints]:
        """The same in each mixture; NaN scores rank last."""
        return {side: top(np.nan_to_num(self.scores(side), nan=-np.inf), DEPTH + 1) for side in SIDES}

    def changed(self, kind: str, side: str) -> Bools:
        """Return [Q]: True if the answer differs from golden's; NaN scores rank last."""
        if kind == "hit":
            found = np.nan_to_num(self.scores(side), nan=-np.inf)
            return np.asarray(_hits(found, self.golden.right) != _hits(self.golden.index.scores, self.golden.right))
        k = self._depth(kind)
        before, after = self.golden.first[:, :k], self._first_of_cell[side][:, :k]
        return np.asarray((np.sort(before, axis=1) != np.sort(after, axis=1)).any(axis=1))

    def certified(self, kind: str, errors: Errors) -> Bools:
        """Return [Q]: True if no error of these sizes can change the answer (see certificate.py for the proof)."""
        scores = self.golden.index.scores
        if kind != "hit":
            above = self.golden.first[:, : self._depth(kind)]
            below = np.ones(scores.shape, bool)
            np.put_along_axis(below, above, False, axis=1)
            return certified(self.golden.index, above, below, errors)
        # A hit stays if the best right item stays above all wrong ones; a miss, if some wrong item stays above all right ones.
        hit = _hits(scores, self.golden.right)[:, None]
        winners = np.where(hit, self.golden.right, ~self.golden.right)
        above = np.where(winners, scores, -np.inf).argmax(axis=1)[:, None]
        return certified(self.golden.index, above, ~winners, errors)

    def differences(self, side: str) -> Float64:
        """Return the absolute errors in the difference of two scores, for neighbours in golden's first ranks [Q * DEPTH]."""
        return np.asarray(np.abs(np.diff(self.moved(side), axis=1)).ravel())

    def moved(self, side: str) -> Float64:
        """Return how much the scores of golden's first items have risen [Q, DEPTH + 1]."""
        if side not in self._moved:
            risen = self.scores(side) - self.golden.index.scores
            self._moved[side] = np.take_along_axis(risen, self.golden.first, axis=1)
        return self._moved[side]

    @cached_property
    def _moved(self) -> dict[str, Float64]:
        return {}

    def _depth(self, kind: str) -> int:
        return min({"first": 1, "top5": 5, "top10": 10}[kind], len(self.golden.vectors.items) - 1)


def _hits(scores: Float64, right: Bools) -> Bools:
    best = np.where(right, scores, -np.inf).max(axis=1)
    return np.asarray(best > np.where(right, -np.inf, scores).max(axis=1))
