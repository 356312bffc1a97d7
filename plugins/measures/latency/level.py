"""The level of a few measurements that differ from process to process: its mean, and how well that is known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, hypot, sqrt

import numpy as np

from plugins.measures.latency.paired import Interval

KNOWN = 4  # measurements that what is known beforehand about their spread is worth
TRIMMED = 0.2  # at each end: a shared machine has states that last for seconds, in which two encoders slow down unequally


@dataclass(frozen=True)
class Level:
    """The trimmed mean of some log ratios, its standard error, and the degrees of freedom of that."""

    mean: float
    error: float
    freedom: float
    n: int

    @staticmethod
    def of(logs: Sequence[float], known: float) -> "Level":
        """`known` is the standard deviation that is expected, and worth KNOWN measurements.

        Trimmed mean and its error from the winsorised variance: Tukey and McLaughlin, 1963. A few measurements estimate their
        own spread badly, so what is known is mixed in: the moderated t of Smyth, "Linear models and empirical Bayes methods
        for assessing differential expression", 2004.
        """
        ordered = np.sort(np.array(logs, np.float64))
        cut = int(TRIMMED * len(ordered))
        kept = ordered[cut : len(ordered) - cut]
        winsorised = np.clip(ordered, kept[0], kept[-1])
        # Scaled to what the kept ones alone would have, so that trimming claims no precision.
        squares = float(((winsorised - winsorised.mean()) ** 2).sum()) * len(ordered) / len(kept)
        freedom = KNOWN + len(kept) - 1
        variance = (KNOWN * known**2 + squares) / (KNOWN + len(ordered) - 1)
        return Level(float(kept.mean()), sqrt(variance / len(kept)), freedom, len(ordered))

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
