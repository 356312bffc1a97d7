"""How many of golden's own answers stay: the first and the ten nearest of each query, which needs no labels."""

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache, cached_property
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from plugins.measures.vectors.metrics import Float64
from plugins.measures.vectors.recall import Ints, kendall_tau, top
from plugins.measures.vectors.share import share_interval

STAY = 0.95  # the share of answers that vectors beside golden's must leave as they are
NEAREST = 10
TIE = 1e-6  # of cosines: items as near as this to golden's answer are as good an answer, such as a second copy of an image
STRICT = 0.999  # as for recall (Flips.kept): a run makes hundreds of comparisons
FEWEST = 94  # answers: of so many or more, a change of 15 %, three times what may change, cannot pass as chance


def stay(kept: int, of: int) -> bool:
    """False if fewer than STAY of so many answers were kept, and not by chance: the exact interval at STRICT lies below."""
    return share_interval(kept, of, STRICT)[1] >= STAY


@cache
def would_see(of: int) -> float:
    """The smallest share of changed answers that `stay` refuses, of so many; infinite if it would let all of them change."""
    fewest = bisect_left(range(of + 1), True, key=lambda changed: not stay(of - changed, of))
    return fewest / of if 0 < fewest <= of else math.inf


@dataclass(frozen=True)
class SameAnswers:
    """Of each query [Q], whether golden's first answer stays, and the share of golden's nearest that stays."""

    first: NDArray[np.bool_]
    nearest: Float64

    @property
    def shares(self) -> tuple[float, float]:
        """The shares of first answers and of the nearest that stay."""
        return float(self.first.mean()), float(self.nearest.mean())

    @property
    def kept(self) -> bool:
        """False if a share is below STAY and not by chance; the mean of the nearest has a normal interval."""
        n = len(self.first)
        beyond = NormalDist().inv_cdf((1 + STRICT) / 2) * float(self.nearest.std(ddof=1)) / n**0.5 if n > 1 else 1.0
        return stay(int(self.first.sum()), n) and self.shares[1] + beyond >= STAY

    def __str__(self) -> str:
        first, nearest = self.shares
        return f"{first:.1%} of first answers and {nearest:.1%} of the nearest {NEAREST} stay"


@dataclass(frozen=True)
class Scores:
    """Cosines of queries and items [Q, N], Q, N >= 1, and what they say in every comparison with others of the same."""

    scores: Float64

    @cached_property
    def order(self) -> Ints:
        """The nearest of each query [Q, up to NEAREST], best first."""
        return top(self.scores, NEAREST)

    @cached_property
    def floors(self) -> tuple[Float64, Float64]:
        """The cosines from which on an item is as good as the first answer, and as the last of the nearest [Q, 1]."""
        own = np.take_along_axis(self.scores, self.order, axis=1)
        return own[:, :1] - TIE, own[:, -1:] - TIE


def same_answers(golden: Scores, found: Scores) -> SameAnswers:
    """Compare the answers of `found` with golden's."""
    theirs = np.take_along_axis(golden.scores, found.order, axis=1)  # golden's own cosines of what was found
    first, nearest = golden.floors
    return SameAnswers(theirs[:, 0] >= first[:, 0], np.asarray((theirs >= nearest).mean(axis=1), np.float64))


def neighbour_agreement(golden: Scores, found: Scores) -> tuple[float, float]:
    """Return the mean overlap of the nearest with golden's, and the mean Kendall tau over golden's nearest, of items with all
    others [N, N], N > 1.

    One whose neighbours have no order, as one whose vector is not finite, has a tau of 0.
    """
    k = min(NEAREST, len(found.scores) - 1)  # its own score, -inf, is the last
    then, now = golden.order[:, :k], found.order[:, :k]
    overlap = np.mean([len({*x} & {*y}) / k for x, y in zip(then, now, strict=True)])
    taus = kendall_tau(*(np.take_along_axis(scores, then, axis=1) for scores in (found.scores, golden.scores)))
    return float(overlap), float(np.nan_to_num(taus).mean())
