"""Intervals over the queries: of a share, and of a mean of paired differences. The gallery is the same in all of them."""

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from plugins.measures.vectors.metrics import Float64
from plugins.measures.vectors.share import share_interval

SEED = 20261130


class Estimate(TypedDict):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def share(held: NDArray[np.bool_]) -> Estimate:
    """Return the share of True among queries [Q], with Clopper and Pearson's exact interval."""
    low, high = share_interval(int(held.sum()), len(held))
    return {"value": float(held.mean()), "low": low, "high": high}


def mean(values: Float64) -> Estimate:
    """Return the mean of a value for each query [Q], or of a paired difference, with a bootstrap interval (percentiles)."""
    from scipy.stats import bootstrap

    value = float(values.mean())
    if np.ptp(values) == 0:  # nothing to draw from
        return {"value": value, "low": value, "high": value}
    found = bootstrap((values,), np.mean, n_resamples=1999, method="percentile", rng=np.random.default_rng(SEED))
    low, high = found.confidence_interval
    return {"value": value, "low": float(low), "high": float(high)}
