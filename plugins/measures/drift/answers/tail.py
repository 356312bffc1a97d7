"""Extrapolates from one gallery to galleries of 10^4 to 10^8 items, by the upper tail of wrong items' scores.

Peaks over threshold (Pickands 1975; Coles, An Introduction to Statistical Modeling of Extreme Values, ch. 4 and 7): above a
high threshold u the scores of wrong items follow a generalised Pareto law, so in a gallery of N the number above x is Poisson
with mean  lambda(x) = N * share * (1 + shape (x-u)/scale)^(-1/shape).  Each query has its own threshold and scale; the shape is
fitted over all queries together, because a query's few dozen excesses do not determine it. Larger galleries add only wrong
items. All forecasts follow from lambda:

- the k-th best wrong score lies below x with probability  P(Poisson(lambda(x)) < k);
- R@k of a query whose best right item scores g is that probability at g; an error d in the difference of two scores changes
  the hit if the k-th best wrong score lies within d of g, on the side to which the error points (half of the cases);
- the first answer changes also if the two best wrong items trade places: given lambda at the best one, the next one lies
  within d of it with probability  1 - exp(-(lambda(best - d) - lambda(best))).
"""

from dataclasses import dataclass

import numpy as np

from plugins.measures.drift.answers.certificate import Bools
from plugins.measures.vectors.metrics import Float64

SHARE, MOST = 0.1, 200  # the tail: this share of a query's wrong items, at most this many
NODES = 16  # nodes of the quadrature over the best wrong score
TINY = 1e-300


@dataclass(frozen=True)
class Tail:
    """The fitted tail of wrong items' scores above a threshold, for each query [Q]."""

    threshold: Float64
    scale: Float64
    shape: float
    share: Float64  # of wrong items above the threshold

    def above(self, x: Float64, size: float) -> Float64:
        """Return the expected number of wrong items above x [Q, ...] in a gallery of `size`."""
        u, scale, share = (np.reshape(v, (-1,) + (1,) * (np.ndim(x) - 1)) for v in (self.threshold, self.scale, self.share))
        base = np.maximum(1 + self.shape * (x - u) / scale, TINY)
        return np.asarray(np.minimum(size * share * base ** (-1 / self.shape), size))

    def level(self, count: Float64, size: float) -> Float64:
        """Return the score above which `count` [Q, M] wrong items are expected: the inverse of `above`."""
        u, scale, share = (v[:, None] for v in (self.threshold, self.scale, self.share))
        return np.asarray(u + scale / self.shape * ((count / (size * share)) ** (-self.shape) - 1))


def fit(scores: Float64, wrong: Bools, part: float = 1.0) -> Tail:
    """Fit the tail of wrong items' scores [Q, N]; `part` scales the usual number of excesses.

    The shape is the maximum-likelihood estimate over all excesses, each divided by its query's mean. Raises ValueError if a
    query has fewer than 10 excesses.
    """
    from scipy.stats import genpareto

    ranked = -np.sort(-np.where(wrong, scores, -np.inf), axis=1)
    counts = wrong.sum(axis=1)
    used = int(part * min(MOST, SHARE * counts.min()))
    if used < 10:
        raise ValueError(f"found {used} scores per query above the threshold, expected at least 10: the gallery is too small")
    excess = ranked[:, :used] - ranked[:, used : used + 1]
    mean = np.maximum(excess.mean(axis=1), 1e-12)
    shape, _, scale = genpareto.fit((excess / mean[:, None]).ravel(), floc=0)
    shape = float(shape) if abs(shape) > 1e-3 else -1e-3  # the formulas divide by it; near 0 the law is exponential
    return Tail(ranked[:, used], float(scale) * mean, shape, used / counts)


def recall(tail: Tail, gold: Float64, size: float, k: int) -> Float64:
    """Return each query's probability that its best right item, of score gold [Q] or [Q, M], is among the first k."""
    from scipy.special import gammaincc

    return np.asarray(gammaincc(k, tail.above(gold, size)))


def hit_changes(tail: Tail, gold: Float64, errors: Float64, size: float, k: int) -> Float64:
    """Return [Q]: probability that R@k's hit changes, for equally likely errors [M] of score differences, of any sign."""
    near = gold[:, None]
    return np.asarray(0.5 * (recall(tail, near + errors, size, k) - recall(tail, near - errors, size, k)).mean(axis=1))


def swaps(tail: Tail, gold: Float64, errors: Float64, size: float) -> Float64:
    """Return [Q]: probability that the two best items are both wrong and swap, for errors [M] of either sign."""
    chance = (np.arange(NODES) + 0.5) / NODES
    over = tail.above(gold, size)[:, None]  # wrong items above gold; at least one has probability 1 - exp(-over)
    best = -np.log1p(chance * np.expm1(-over))  # lambda at the best wrong item, given that it is above gold
    score = tail.level(np.maximum(best, TINY), size)
    floor = np.maximum(
        score[:, :, None] - errors, gold[:, None, None]
    )  # below gold, the swap is with gold: a change of the hit
    close = -np.expm1(-np.maximum(tail.above(floor, size) - best[:, :, None], 0))
    return np.asarray(0.5 * -np.expm1(-over[:, 0]) * close.mean(axis=(1, 2)))


def first_changes(tail: Tail, gold: Float64, errors: Float64, size: float) -> float:
    """Return the expected share of queries whose first answer changes."""
    return float(np.minimum(hit_changes(tail, gold, errors, size, 1) + swaps(tail, gold, errors, size), 1).mean())


def within_reach(tail: Tail, gold: Float64, reach: float, size: float) -> float:
    """Return the expected share of queries whose two best scores are within `reach`, so that no certificate covers them."""
    return float(min(1.0, 2 * first_changes(tail, gold, np.array([reach]), size)))
