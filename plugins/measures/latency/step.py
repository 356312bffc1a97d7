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
    best = min(splits, key=lambda k: _distance(logs[:k]) + _distance(logs[k:]))
    chance = float(mannwhitneyu(logs[:best], logs[best:]).pvalue) * len(splits)
    return best if chance < CHANCE else None


def rise(logs: np.ndarray, allowed: float, chance: float, side: int) -> int | None:
    """The index of the first value on a level that is higher by more than `allowed`; None if chance explains it.

    Of the splits with `side` values on each side, the one that chance explains least, times their number (Bonferroni). All
    are tried at once: U of the Mann-Whitney test is the number of pairs across the split in which the later value is higher.
    """
    from scipy.stats import norm

    splits, n = np.array(_splits(len(logs), side)), len(logs)
    if not len(splits):
        return None
    pairs = np.cumsum(np.cumsum(logs[None, :] - allowed > logs[:, None], axis=0), axis=1)
    across = pairs[splits - 1, n - 1] - pairs[splits - 1, splits - 1]
    spread = np.sqrt(splits * (n - splits) * (n + 1) / 12)
    chances = norm.sf((across - splits * (n - splits) / 2) / spread)
    best = int(np.argmin(chances))
    return int(splits[best]) if chances[best] * len(splits) < chance else None


def higher(logs: np.ndarray, at: int, allowed: float) -> np.ndarray:
    """The probability by chance that values from index `at` on are higher by more than `allowed` (Mann-Whitney), float64 [...].

    `logs` is [n, ...]: any number of series.
    """
    from scipy.stats import mannwhitneyu

    return np.asarray(mannwhitneyu(logs[at:] - allowed, logs[:at], alternative="greater", method="asymptotic").pvalue)


def _splits(n: int, side: int) -> range:
    return range(side, n - side + 1)


def _distance(logs: np.ndarray) -> float:
    return float(np.abs(logs - np.median(logs)).sum())
