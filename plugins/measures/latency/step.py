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
    splits = range(SIDE, len(logs) - SIDE + 1)
    if not splits:
        return None
    best = min(splits, key=lambda k: _distance(logs[:k]) + _distance(logs[k:]))
    chance = float(mannwhitneyu(logs[:best], logs[best:]).pvalue) * len(splits)
    return best if chance < CHANCE else None


def _distance(logs: np.ndarray) -> float:
    return float(np.abs(logs - np.median(logs)).sum())
