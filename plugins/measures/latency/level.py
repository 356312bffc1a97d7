"""The level of a comparison over several starts: the log of our time over the other's, and how well it is known.

What stands for a side is its fastest blocks, over all starts. A shared machine has states that last for seconds, and in which
two encoders slow down unequally: onnxruntime's image took 2.6 or 4.2 ms, torch eager's 5.2 or 6.9, with no other program beside
them. Over equal code the ratio of all blocks differed by 6 % from run to run, that of the fastest by 1 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, hypot, sqrt

import numpy as np

from plugins.measures.latency.paired import Interval

Sides = tuple[Sequence[float], Sequence[float]]  # a start: seconds of its blocks, ours and the other's
KNOWN = 4  # starts that what is known beforehand about their spread is worth
FASTEST = 0.2  # the share of blocks that stands for a side: other load only adds time
RESAMPLED = 400  # draws of the starts, for the error


def usual_s(blocks: Sequence[Sequence[float]]) -> float:
    """What stands for a side, from the seconds of each start's blocks: the geometric mean of the fastest."""
    return exp(float(_fastest(blocks, np.ones((1, len(blocks))))[0]))


def _fastest(blocks: Sequence[Sequence[float]], drawn: np.ndarray) -> np.ndarray:
    """The mean log of the fastest FASTEST of all blocks, where each start was drawn so many times [B, starts]: float64 [B]."""
    logs = np.log(np.concatenate([np.asarray(start, np.float64) for start in blocks]))
    order, owner = np.argsort(logs), np.repeat(np.arange(len(blocks)), [len(start) for start in blocks])
    weights = drawn[:, owner[order]].astype(np.float64)
    upto = np.cumsum(weights, axis=1)
    taken = np.clip(FASTEST * upto[:, -1:] - (upto - weights), 0.0, weights)  # of the last one only the part that fits
    return np.asarray((taken * logs[order]).sum(axis=1) / taken.sum(axis=1))


@dataclass(frozen=True)
class Level:
    """A log ratio, its standard error, the degrees of freedom of that, and the number of starts."""

    mean: float
    error: float
    freedom: float
    n: int

    @staticmethod
    def of(starts: Sequence[Sides], known: float) -> "Level":
        """`known` is the expected standard deviation of a start's log ratio, and worth KNOWN starts.

        The error is the bootstrap's: whole starts are drawn again, because blocks of one process are alike (Efron and
        Tibshirani, "An Introduction to the Bootstrap", 1993). A few starts estimate their own spread badly, so what is known is
        mixed in: the moderated t of Smyth, "Linear models and empirical Bayes methods for assessing differential expression in
        microarray experiments", 2004.
        """
        n = len(starts)
        drawn = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), RESAMPLED)
        ours, other = (_fastest([start[side] for start in starts], np.vstack([np.ones(n), drawn])) for side in (0, 1))
        mean, *again = ours - other
        squares = n * float(np.var(again))  # (n - 1) times the variance, which n starts show n / (n - 1) too small
        variance = (KNOWN * known**2 / max(1.0, FASTEST * n) + squares) / (KNOWN + n - 1)
        return Level(float(mean), sqrt(variance), KNOWN + n - 1, n)

    def since(self, then: "Level") -> "Level":
        """The change from `then`: errors add in quadrature, degrees of freedom by Welch and Satterthwaite's formula."""
        error = hypot(self.error, then.error)
        freedom = error**4 / (self.error**4 / self.freedom + then.error**4 / then.freedom)
        return Level(self.mean - then.mean, error, freedom, min(self.n, then.n))

    def wider(self, error: float) -> "Level":
        """The same with an error in addition that no measurement shows, which is known well."""
        both = hypot(self.error, error)
        return Level(self.mean, both, self.freedom * (both / self.error) ** 4, self.n)

    def longer(self, times: float) -> "Level":
        """What `times` as many measurements would give, about: errors shrink with the square root of the number.

        A comparison ends as soon as it is clear; it would have gone on, up to its budget, to see a slowdown.
        """
        return replace(self, error=self.error / sqrt(max(1.0, times)))

    def interval(self, confidence: float) -> Interval:
        """The ratio, by Student's t; `n` counts measurements."""
        from scipy.stats import t

        half = float(t.ppf(0.5 + confidence / 2, self.freedom)) * self.error
        return Interval(exp(self.mean - half), exp(self.mean), exp(self.mean + half), confidence, self.n)
