"""Certifies answers that no error of a given size can change: a bound on the sphere, with its proof.

Vectors are L2-normalised. A query q may turn by any angle up to `alpha`, an indexed vector x by any angle up to its `beta`.
Item a stands above item b when <q,a> > <q,b>. Claim: for every such error a stays above b if

    |a-b| sin(r - alpha)  >  drop(a) + rise(b),        where  sin r = <q,a-b> / |a-b|,
    drop(a) = 2 sin(beta_a/2) max sin(t + beta_a/2),   t within alpha of the angle between q and a,
    rise(b) = 2 sin(beta_b/2) max sin(t - beta_b/2),   t within alpha of the angle between q and b.

Proof. Let q' be the turned query, so angle(q,q') <= alpha; let a', b' be the turned items.
1. n = (a-b)/|a-b| is a unit vector and <q,n> = sin r: q lies r above the great circle <.,n> = 0. Angles on a sphere obey the
   triangle inequality, so q' lies at least r - alpha above it, and <q',a> - <q',b> >= |a-b| sin(r - alpha).
2. Let t = angle(q',a), within alpha of angle(q,a) by the triangle inequality. Then angle(q',a') <= t + beta_a, and as cos falls
   on [0, pi], <q',a> - <q',a'> <= cos t - cos(t + beta_a) = 2 sin(beta_a/2) sin(t + beta_a/2) <= drop(a), if t + beta_a <= pi.
3. Likewise angle(q',b') >= t - beta_b gives <q',b'> - <q',b> <= cos(t - beta_b) - cos t <= rise(b), if t - beta_b >= 0.
4. So <q',a'> - <q',b'> >= |a-b| sin(r - alpha) - drop(a) - rise(b) > 0. Where step 2 or 3 asks for more room than the sphere
   has, nothing is claimed.

The bound is sharp where one side alone errs. beta = 0: turning q by r straight towards the great circle ties the pair.
alpha = 0: it says cos(angle_a + beta_a) > cos(angle_b - beta_b), and turning a away from q and b towards q gets there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plugins.measures.vectors.metrics import Float64, normalised
from plugins.measures.vectors.recall import Ints

Bools = NDArray[np.bool_]
ROUND_OFF = 1e-12  # smaller slack is not certified: float64 products of unit vectors are accurate to about 1e-15
PAIRS = 1 << 20  # pairs computed at a time: 8 MB per array


def angles(found: NDArray[np.floating], wanted: NDArray[np.floating]) -> Float64:
    """Return the angles between the rows of two sets of raw vectors, radians [N]; exact if tiny; NaN if a row has NaN."""
    chord = np.linalg.norm(normalised(found) - normalised(wanted), axis=-1)
    return np.asarray(2 * np.arcsin(np.clip(chord / 2, 0, 1)))


@dataclass(frozen=True)
class Errors:
    """How far vectors may turn, radians: queries [Q] and indexed items [N]; 0 for a side without errors."""

    queries: Float64
    items: Float64

    @property
    def largest(self) -> "Errors":
        """The same errors with every vector at the largest error of its side."""
        return Errors(*(np.full_like(side, side.max(initial=0.0)) for side in (self.queries, self.items)))


@dataclass(frozen=True)
class Index:
    """Cosines of queries with indexed items [Q, N], and of the items with each other [N, N]."""

    scores: Float64
    between: Float64

    @classmethod
    def of(cls, queries: NDArray[np.floating], items: NDArray[np.floating]) -> "Index":
        """Return the cosines of raw vectors [Q, D] and [N, D]."""
        rows = normalised(items)
        return cls(normalised(queries) @ rows.T, rows @ rows.T)


def slack(a: Float64, b: Float64, between: Float64, alpha: Float64, beta_a: Float64, beta_b: Float64) -> Float64:
    """Return left minus right side of the claim above, in units of similarity; `a`, `b`, `between` are <q,a>, <q,b>, <a,b>.

    All arguments broadcast. Positive: a stays above b for all errors of these sizes. -inf: nothing is claimed.
    """
    chord = np.sqrt(np.clip(2 - 2 * between, 0, None) + 4e-15)  # rounded up: a longer chord claims less
    room = np.arcsin(np.clip((a - b) / chord, -1, 1))
    to_a, to_b = np.arccos(np.clip(a, -1, 1)), np.arccos(np.clip(b, -1, 1))
    drop = 2 * np.sin(beta_a / 2) * _largest_sine(to_a + beta_a / 2, alpha)
    rise = 2 * np.sin(beta_b / 2) * _largest_sine(to_b - beta_b / 2, alpha)
    found = chord * np.sin(np.maximum(room - alpha, -np.pi / 2)) - drop - rise
    outside = ((beta_a > 0) & (to_a + alpha + beta_a > np.pi)) | ((beta_b > 0) & (to_b - alpha - beta_b < 0))
    return np.asarray(np.where(outside | ~np.isfinite(found), -np.inf, found))


def _largest_sine(centre: Float64, reach: Float64) -> Float64:
    low, high = centre - reach, centre + reach
    peak = (low <= np.pi / 2) & (high >= np.pi / 2)
    return np.asarray(np.where(peak, 1.0, np.clip(np.maximum(np.sin(low), np.sin(high)), 0, 1)))


def certified(index: Index, above: Ints, below: Bools, errors: Errors) -> Bools:
    """Return [Q]: True if all items of `above` [Q, k] stay above all items of `below` [Q, N], for all errors of these sizes."""
    found = np.isfinite(index.scores).all(axis=1) & np.isfinite(errors.queries) & bool(np.isfinite(errors.items).all())
    for rows, items in _near(index, above, below, errors):
        a = above[rows]
        least = slack(
            index.scores[rows[:, None], a],
            index.scores[rows, items][:, None],
            index.between[a, items[:, None]],
            errors.queries[rows][:, None],
            errors.items[a],
            errors.items[items][:, None],
        ).min(axis=1)
        found[rows[~(least > ROUND_OFF)]] = False
    return found


def _near(index: Index, above: Ints, below: Bools, errors: Errors) -> Iterator[tuple[Ints, Ints]]:
    """Yield the (query, item) pairs that need the full formula.

    Items further below are certified by a coarser formula, in which |a-b| and both sines are at their maximum:
    <q,a-b> cos(alpha) - 2 sin(alpha) - 2 sin(beta_a/2) - 2 sin(beta_b/2) > 0.
    """
    lowest = np.take_along_axis(index.scores, above, axis=1).min(axis=1)
    largest = errors.items.max(initial=0.0)
    reach = 2 * np.sin(np.minimum(errors.queries, np.pi / 2)) + 4 * np.sin(min(largest, np.pi) / 2) + 1e-9
    margin = (lowest[:, None] - index.scores) * np.cos(np.minimum(errors.queries, np.pi / 2))[:, None]
    rows, items = np.nonzero(below & ~(margin > reach[:, None]))
    step = max(1, PAIRS // above.shape[1])
    for start in range(0, len(rows), step):
        yield rows[start : start + step], items[start : start + step]
