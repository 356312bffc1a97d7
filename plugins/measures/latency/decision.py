"""Sequential test of a slowdown: samples pairs until the verdict is clear, and keeps a stated false-alarm rate."""

import time
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
LOOKS = 4  # interim tests, after each quarter of the budget
FALSE_ALARMS = 0.01  # probability that a run of unchanged code fails in any cell


@dataclass(frozen=True)
class Limit:
    """The allowed slowdown, and the confidence that a verdict needs."""

    slowdown: float  # 0.02 allows 2 %
    false_alarms: float = FALSE_ALARMS  # of the full run
    cells: int = 1  # number of comparisons in the run

    @property
    def confidence(self) -> float:
        """Two-sided confidence of one look at one cell: Bonferroni over cells and looks, for each tail separately."""
        return 1 - 2 * self.false_alarms / (self.cells * LOOKS)

    def after(self, share: float, before: float) -> float:
        """Two-sided confidence of a look after this share of a comparison, where the look before it was after `before`.

        Looks together raise the false alarms that are stated, by the square of the share, so that most are left for the last
        one (Kim and DeMets, "Design and analysis of group sequential tests based on the type I error spending rate function",
        1987). Each has its own part (Bonferroni), for each tail separately.
        """
        return 1 - 2 * self.false_alarms / self.cells * (share**2 - before**2)


@dataclass(frozen=True)
class DecisionByPairs:
    """A verdict with the pairs that it is based on."""

    verdict: Verdict
    found: Interval
    limit: Limit
    pairs: Pairs
    spent_s: float


def verdict(found: Interval, slowdown: float) -> Verdict:
    """Return "fail" if the interval lies entirely above the allowed slowdown, "pass" if entirely below, else "inconclusive"."""
    if found.low > 1 + slowdown:
        return "fail"
    return "pass" if found.high < 1 + slowdown else "inconclusive"


def decide(ours: Block, other: Block, limit: Limit, budget_s: float, rng: np.random.Generator) -> DecisionByPairs:
    """Measure in alternation until a look is clear or the budget is spent; Limit.confidence corrects for the repeated looks."""
    pairs: list[tuple[float, float]] = []
    started = time.perf_counter()
    with no_garbage_collection():
        calls = calls_in_a_block(max(ours(FEWEST_CALLS), other(FEWEST_CALLS)))
        for look in range(1, LOOKS + 1):
            while len(pairs) < fewest(limit.confidence) or time.perf_counter() - started < budget_s * look / LOOKS:
                pairs.append(pair(ours, other, rng, calls))
            found = interval(np.array(pairs), limit.confidence)
            answer = verdict(found, limit.slowdown)
            if answer != "inconclusive":
                break
    return DecisionByPairs(answer, found, limit, np.array(pairs), time.perf_counter() - started)
