"""What a comparison could have seen: the smallest slowdown, and the smallest share of slow calls, found with 95 % chance."""

from math import exp, inf, log

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
