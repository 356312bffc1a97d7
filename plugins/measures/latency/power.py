"""What a comparison could have seen: the smallest slowdown, and the smallest share of slow calls, found with 95 % chance."""

from math import exp, inf, log, sqrt

from plugins.measures.latency.paired import Interval

CHANCE = 0.95


def smallest_slowdown(found: Interval, allowed: float) -> float:
    """Return the smallest slowdown that fails with 95 % chance where `allowed` is allowed: 0.03 is 3 %.

    A run fails if the lower end of its interval lies above what is allowed. The interval's lower half is z standard errors, z
    being the normal quantile of its confidence, so a slowdown must lie so much above the limit, and 1.645 standard errors more.
    """
    from scipy.stats import norm

    if not 0 < found.low <= found.ratio:
        return inf
    half = log(found.ratio / found.low)
    return exp(log(1 + allowed) + half * float(1 + norm.ppf(CHANCE) / norm.ppf(0.5 + found.confidence / 2))) - 1


def longer(found: Interval, times: float) -> Interval:
    """Return the interval that `times` as many pairs would give, about: half-widths shrink with the square root of the number.

    A comparison ends as soon as it is clear; it would have gone on, up to its budget, to see a slowdown.
    """
    narrower = 1 / sqrt(max(1.0, times))
    low, high = (found.ratio * (end / found.ratio) ** narrower if 0 < end < inf else end for end in (found.low, found.high))
    return Interval(low, found.ratio, high, found.confidence, found.n)
