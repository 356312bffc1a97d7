"""The interval of a share."""

from functools import cache


@cache  # the same few counts in every cell
def share_interval(found: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of the share `found` of `of` (Clopper and Pearson, "The use of confidence or fiducial limits",
    Biometrika 1934): it holds the true share at least so often. Raises ValueError for a share of none."""
    from scipy.stats import beta

    if not 0 <= found <= of or of == 0:
        raise ValueError(f"found {found} of {of}, expected a share of one or more")
    beyond = (1 - confidence) / 2  # binomtest finds the same bounds by a search, which takes milliseconds
    low = float(beta.ppf(beyond, found, of - found + 1)) if found else 0.0
    return low, float(beta.ppf(1 - beyond, found + 1, of - found)) if found < of else 1.0
