"""The step at which the level of a series changed."""

from collections.abc import Sequence

import numpy as np

SIDE = 3  # runs on each side of a step
CHANCE = 0.05  # false-alarm rate of a step


def step(ratios: Sequence[float]) -> int | None:
    """The index of the first run on the new level; None if chance explains the best split.

    The split that leaves the smallest sum of absolute distances from each side's median of the logarithms, judged by the
    Mann-Whitney U test times the number of splits tried (Bonferroni). It takes about ten runs to be sure of a step.
    """
    from scipy.stats import mannwhitneyu

    logs = np.log(np.asarray(ratios, np.float64))
    splits = _splits(len(logs), SIDE)
    if not splits:
        return None
    best = _best(logs, splits)
    chance = float(mannwhitneyu(logs[:best], logs[best:]).pvalue) * len(splits)
    return best if chance < CHANCE else None


def rise(logs: np.ndarray, allowed: float, chance: float, side: int) -> int | None:
    """The index of the first value on a level that is higher by more than `allowed`; None if chance explains it.

    As `step`, but up only, `allowed` is taken off the values behind the split, and `side` values are on each side of it.
    """
    splits = _splits(len(logs), side)
    if not splits:
        return None
    best = _best(logs, splits)
    return best if higher(logs, best, allowed) * len(splits) < chance else None


def higher(logs: np.ndarray, at: int, allowed: float) -> float:
    """The probability by chance that values from index `at` on are higher by more than `allowed` (Mann-Whitney)."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(logs[at:] - allowed, logs[:at], alternative="greater").pvalue)


def _splits(n: int, side: int) -> range:
    return range(side, n - side + 1)


def _best(logs: np.ndarray, splits: range) -> int:
    return min(splits, key=lambda k: _distance(logs[:k]) + _distance(logs[k:]))


def _distance(logs: np.ndarray) -> float:
    return float(np.abs(logs - np.median(logs)).sum())
