"""Sequential test of a slowdown: samples pairs until the verdict is clear, and keeps a stated false-alarm rate."""

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
from plugins.measures.latency.power import longer, smallest_slowdown

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


@dataclass(frozen=True)
class Decision:
    """A verdict with the pairs that it is based on."""

    verdict: Verdict
    found: Interval
    limit: Limit
    pairs: Pairs
    spent_s: float
    budget_s: float

    @property
    def seen(self) -> float:
        """The smallest slowdown that the whole budget would have found with 95 % chance."""
        return smallest_slowdown(longer(self.found, self.left), self.limit.slowdown)

    @property
    def left(self) -> float:
        """How many times longer the comparison would have taken if it had not been clear."""
        return max(1.0, self.budget_s / self.spent_s)

    def __str__(self) -> str:
        change = f"{self.found.ratio - 1:+.2%} [{self.found.low - 1:+.2%}, {self.found.high - 1:+.2%}]"
        return f"{change} against {self.limit.slowdown:+.1%} allowed; would have seen {self.seen:+.1%}; {self.effort}"

    @property
    def effort(self) -> str:
        """The number of pairs and the time spent."""
        return f"{self.found.n} pairs of blocks in {self.spent_s:.1f} s"


def verdict(found: Interval, slowdown: float) -> Verdict:
    """Return "fail" if the interval lies entirely above the allowed slowdown, "pass" if entirely below, else "inconclusive"."""
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
    """Measure in alternation until a look is clear or the budget is spent; Limit.confidence corrects for the repeated looks.

    `judged` replaces `verdict` if the limit is not on the ratio itself (but on its change, for example).
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
    return Decision(answer, found, limit, np.array(pairs), time.perf_counter() - started, budget_s)
