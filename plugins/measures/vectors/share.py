"""The interval of a share."""

from functools import cache


@cache  # milliseconds each, for the same few counts in every cell
def share_interval(found: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of the share `found` of `of` (Clopper and Pearson, "The use of confidence or fiducial limits",
    Biometrika 1934): it holds the true share at least so often. Raises ValueError for a share of none."""
    from scipy.stats import binomtest

    exact = binomtest(found, of).proportion_ci(confidence, method="exact")
    return float(exact.low), float(exact.high)
