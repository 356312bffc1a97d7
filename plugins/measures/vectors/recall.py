"""Retrieval measures. A tie counts as a miss, so constant embeddings have a recall of 0."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from plugins.measures.vectors.metrics import Float64, normalised
from plugins.measures.vectors.share import share_interval

Ints = NDArray[np.int64]
K = (1, 5, 10)


def gold_ranks(queries: NDArray[np.floating], index: NDArray[np.floating], gold: Sequence[Sequence[int]]) -> Ints:
    """Return for each query the number of wrong items that score at least as high as its best gold item [Q]; NaN ranks last."""
    return ranks_of(normalised(queries) @ normalised(index).T, gold)


def ranks_of(scores: Float64, gold: Sequence[Sequence[int]]) -> Ints:
    """The same from cosines [Q, N], which this changes: see `numbers`."""
    numbers(scores)
    right = [sorted(set(items)) for items in gold]
    sizes = [len(items) for items in right]
    rows, starts = np.repeat(np.arange(len(right)), sizes), np.cumsum([0, *sizes[:-1]])
    of_right = scores[rows, [item for items in right for item in items]]
    best = np.maximum.reduceat(of_right, starts)
    as_high = (scores >= best[:, None]).sum(axis=1)  # all items if best is -inf
    return np.asarray(as_high - np.add.reduceat((of_right >= best[rows]).astype(np.int64), starts), np.int64)


def numbers(scores: Float64) -> Float64:
    """The same scores with -inf in the place of what is no number, changed in place: such items rank last."""
    if not (finite := np.isfinite(scores)).all():
        scores[~finite] = -np.inf
    return scores


def top(scores: Float64, k: int) -> Ints:
    """Return the first k items of each query [Q, k], best first; equal scores in index order."""
    k = min(k, scores.shape[1])
    if k == 0:
        return np.empty((len(scores), 0), np.int64)
    found = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
    own = np.take_along_axis(scores, found, axis=1)
    order = np.argsort(-own, axis=1, kind="stable")
    found = np.take_along_axis(found, order, axis=1)
    last = own.min(axis=1, keepdims=True)
    as_high = (scores >= last).sum(axis=1)
    if (tied := as_high > k).any():
        found[tied], _ = first_above(scores[tied], last[tied], k)
    if (nan := as_high < k).any():
        found[nan] = np.argsort(-scores[nan], axis=1, kind="stable")[:, :k]
    return np.asarray(found, np.int64)


def first_above(scores: NDArray[np.floating], floor: NDArray[np.floating], k: int) -> tuple[Ints, NDArray[np.floating]]:
    """Return the first k of each row [Q, N] and their scores, best first, equal ones in index order; at least k of each row are
    not below its `floor` [Q, 1]."""
    rows, items = np.nonzero(scores >= floor)
    own = scores[rows, items]
    order = np.lexsort((-own, rows))
    chosen = order[np.searchsorted(rows, np.arange(len(scores)))[:, None] + np.arange(k)]
    return np.asarray(items[chosen], np.int64), own[chosen]


class Recalls(TypedDict):
    """R@1, R@5 and R@10 in percent, and their mean."""

    r1: float
    r5: float
    r10: float
    mr: float


def recalls(ranks: Ints) -> Recalls:
    """Return recall from the ranks of the best gold items [Q] (MUGE evaluation: a hit if ANY gold item is in the top k)."""
    r1, r5, r10 = (float(100 * (ranks < k).mean()) for k in K)
    return {"r1": r1, "r5": r5, "r10": r10, "mr": (r1 + r5 + r10) / len(K)}


@dataclass(frozen=True)
class Flips:
    """Paired comparison of two searches with the same queries: hits lost and won, and the change of R@1 with its interval."""

    lost: int
    won: int
    n: int

    @property
    def change(self) -> float:
        """The change of R@1 in points; negative if recall fell."""
        return 100 * (self.won - self.lost) / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of `change`, for reports; `kept` uses a stricter one."""
        return self.interval_at(0.95)

    def interval_at(self, confidence: float) -> tuple[float, float]:
        """Return the exact conditional (McNemar) interval: Clopper-Pearson on the share of hits won among all flips."""
        flips = self.won + self.lost
        if flips == 0:
            return (0.0, 0.0)
        low, high = share_interval(self.won, flips, confidence)
        return (100 * flips * (2 * low - 1) / self.n, 100 * flips * (2 * high - 1) / self.n)

    @property
    def kept(self) -> bool:
        """False if the 99.9 % interval lies entirely below zero: recall fell, and not by chance.

        The level is strict because a run makes hundreds of comparisons. Eleven hits lost and none won are enough.
        """
        return self.n > 0 and self.interval_at(0.999)[1] >= 0

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.change:+.1f} points [{low:+.1f}, {high:+.1f}], {self.lost} lost and {self.won} won of {self.n}"


def flips(ranks: Ints, golden: Ints) -> Flips:
    """Compare top-1 hits of the same queries, from ranks [Q]."""
    return Flips(int(((golden == 0) & (ranks > 0)).sum()), int(((golden > 0) & (ranks == 0)).sum()), len(golden))


def kendall_tau(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return Kendall's tau-b of each row of `a` with the same row of `b` [N]; NaN for a row of equal values.

    Equal to scipy.stats.kendalltau, which takes one row per call: 0.2 s for 650 rows, in each of hundreds of cells.
    """
    one, other = np.triu_indices(a.shape[1], 1)
    with np.errstate(invalid="ignore"):
        x, y = (np.sign(np.nan_to_num(v[:, one] - v[:, other])) for v in (a, b))  # infinite values tie
        return np.asarray((x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1)))
