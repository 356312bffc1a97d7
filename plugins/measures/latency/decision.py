"""Decides whether a cell is slower: tests a growing sample of pairs until the answer is clear, at a stated false-alarm rate."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from plugins.measures.latency.paired import (
    FEWEST_CALLS,
    Block,
    Interval,
    Pairs,
    calls_in_a_block,
    fewest,
    interval,
    no_garbage_collection,
    pair,
)

Verdict = Literal["pass", "fail", "inconclusive"]
LOOKS = 4  # at a quarter, half, three quarters and all of the budget
FALSE_ALARMS = 0.01  # chance that a run over unchanged code fails anywhere


@dataclass(frozen=True)
class Limit:
    """The allowed slowdown, and the confidence that a verdict needs."""

    slowdown: float  # 0.02 allows 2 %
    false_alarms: float = FALSE_ALARMS  # of the entire run
    cells: int = 1  # comparisons that the run makes

    @property
    def confidence(self) -> float:
        """Two-sided, of one look of one cell: Bonferroni over cells and looks, each side a tail of its own."""
        return 1 - 2 * self.false_alarms / (self.cells * LOOKS)


@dataclass(frozen=True)
class Decision:
    """A verdict with the pairs that it rests on."""

    verdict: Verdict
    found: Interval
    limit: Limit
    pairs: Pairs
    spent_s: float

    def __str__(self) -> str:
        change = f"{self.found.ratio - 1:+.2%} [{self.found.low - 1:+.2%}, {self.found.high - 1:+.2%}]"
        return f"{change} against {self.limit.slowdown:+.1%} allowed; {self.effort}"

    @property
    def effort(self) -> str:
        """The effort of the measurement, as a sentence."""
        return f"{self.found.n} pairs of blocks in {self.spent_s:.1f} s"


def verdict(found: Interval, slowdown: float) -> Verdict:
    """fail: all of the interval is beyond what is allowed; pass: none of it; else there is too little data to tell."""
    if found.low > 1 + slowdown:
        return "fail"
    return "pass" if found.high < 1 + slowdown else "inconclusive"


def decide(
    ours: Block,
    other: Block,
    limit: Limit,
    budget_s: float,
    rng: np.random.Generator,
    judged: Callable[[Interval, Pairs], Verdict] | None = None,
) -> Decision:
    """Alternate until a look is clear or the budget is spent; looks are fixed beforehand, so stopping early is paid for.

    `judged` gives the verdict of a look where the limit is not one on the ratio itself (but on its change, say).
    """
    pairs: list[tuple[float, float]] = []
    started = time.perf_counter()
    with no_garbage_collection():
        calls = calls_in_a_block(max(ours(FEWEST_CALLS), other(FEWEST_CALLS)))
        for look in range(1, LOOKS + 1):
            while len(pairs) < fewest(limit.confidence) or time.perf_counter() - started < budget_s * look / LOOKS:
                pairs.append(pair(ours, other, rng, calls))
            found = interval(np.array(pairs), limit.confidence)
            answer = judged(found, np.array(pairs)) if judged else verdict(found, limit.slowdown)
            if answer != "inconclusive":
                break
    return Decision(answer, found, limit, np.array(pairs), time.perf_counter() - started)
