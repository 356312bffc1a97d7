"""Retrieval measures. A tie counts against the query: an embedding that says nothing finds nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plugins.comparison import normalised

Ints = NDArray[np.int64]
K = (1, 5, 10)


def gold_ranks(queries: NDArray[np.floating], index: NDArray[np.floating], gold: Sequence[Sequence[int]]) -> Ints:
    """For each query the number of wrong items that score at least as high as its best gold item [Q]; NaN ranks last."""
    scores = normalised(queries) @ normalised(index).T
    scores = np.where(np.isfinite(scores), scores, -np.inf)
    ranks = np.empty(len(gold), np.int64)
    for row, right in enumerate(gold):
        best = scores[row, list(right)].max()
        wrong = np.delete(scores[row], list(right))
        ranks[row] = len(wrong) if best == -np.inf else int((wrong >= best).sum())
    return ranks


def recalls(ranks: Ints) -> dict[str, float]:
    """R@1, R@5, R@10 in percent and their mean MR (MUGE evaluation: a hit if ANY gold item is in the top k)."""
    found = {f"r{k}": float(100 * (ranks < k).mean()) for k in K}
    return {**found, "mr": sum(found.values()) / len(K)}


@dataclass(frozen=True)
class Flips:
    """The same queries asked twice: hits that were lost and won, and the change of R@1 in points with its 95 % interval."""

    lost: int
    won: int
    n: int

    @property
    def change(self) -> float:
        """Points of R@1; negative when recall fell."""
        return 100 * (self.won - self.lost) / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of `change`, for reading."""
        return self.interval_at(0.95)

    def interval_at(self, confidence: float) -> tuple[float, float]:
        """Exact conditional (McNemar) interval: Clopper-Pearson on the share of won among all flips."""
        from scipy.stats import binomtest

        flips = self.won + self.lost
        if flips == 0:
            return (0.0, 0.0)
        share = binomtest(self.won, flips).proportion_ci(confidence, method="exact")
        return (100 * flips * (2 * share.low - 1) / self.n, 100 * flips * (2 * share.high - 1) / self.n)

    @property
    def kept(self) -> bool:
        """False when the whole 99.9 % interval lies below zero: recall fell, and not by chance. So strict because a
        run makes hundreds of such comparisons; eleven hits lost and none won are enough."""
        return self.n > 0 and self.interval_at(0.999)[1] >= 0

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.change:+.1f} points [{low:+.1f}, {high:+.1f}], {self.lost} lost and {self.won} won of {self.n}"


def flips(ranks: Ints, golden: Ints) -> Flips:
    """Paired comparison of top-1 hits."""
    return Flips(int(((golden == 0) & (ranks > 0)).sum()), int(((golden > 0) & (ranks == 0)).sum()), len(golden))


def neighbour_agreement(found: NDArray[np.floating], golden: NDArray[np.floating], k: int = 10) -> tuple[float, float]:
    """Image to image: mean overlap@k of each item's neighbours with golden's, and mean Kendall tau over golden's top k."""
    from scipy.stats import kendalltau

    a, b = (normalised(v) @ normalised(v).T for v in (np.nan_to_num(found), golden))
    np.fill_diagonal(a, -np.inf)
    np.fill_diagonal(b, -np.inf)
    a = np.where(np.isnan(a), -np.inf, a)
    k = min(k, len(a) - 1)
    top_a, top_b = (np.argsort(-s, axis=1, kind="stable")[:, :k] for s in (a, b))
    overlap = np.mean([len(set(x) & set(y)) / k for x, y in zip(top_a, top_b, strict=True)])
    taus = [kendalltau(a[i, top_b[i]], b[i, top_b[i]]).statistic for i in range(len(a))]
    return float(overlap), float(np.nan_to_num(np.mean(taus)))
