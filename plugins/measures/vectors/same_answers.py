"""How many of golden's own answers stay: the first and the ten nearest of each query, which needs no labels."""

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from plugins.measures.vectors.metrics import Float64
from plugins.measures.vectors.recall import top
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


def same_answers(golden: Float64, found: Float64) -> SameAnswers:
    """Compare the answers of `found`, cosines of queries and items [Q, N], with golden's [Q, N] of the same; Q, N >= 1."""
    k = min(NEAREST, golden.shape[1])
    theirs = np.take_along_axis(golden, top(found, k), axis=1)  # golden's own cosines of what was found
    nearest = np.partition(golden, -k, axis=1)[:, -k, None]
    return SameAnswers(theirs[:, 0] >= golden.max(axis=1) - TIE, np.asarray((theirs >= nearest - TIE).mean(axis=1), np.float64))
