"""A cell's ratio over its stored runs, and the step at which its level changed."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from plugins.latency.history import Stored

LAST = 40  # newest runs that are used
FEWEST_RUNS = 5  # fewer runs show no trend
SIDE = 3  # runs on each side of a step
CHANCE = 0.05  # false-alarm rate of a step


def trend(runs: Sequence[Stored], now: float) -> dict[str, Any]:
    """The ratios of the last stored runs and of this one, oldest first, and the step if there is one."""
    last = list(runs)[-(LAST - 1) :]
    ratios = [float(stored.found["ratio"]) for stored in last] + [now]
    found: dict[str, Any] = {"ratios": ratios, "runs": len(ratios)}
    place = step(ratios)
    if place is not None:
        before, after = float(np.median(ratios[:place])), float(np.median(ratios[place:]))
        first = {"file": last[place].file, "commit": last[place].commit} if place < len(last) else {"file": "this run"}
        found["step"] = {**first, "before": before, "after": after, "change": after / before - 1}
    return found


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
