"""Two sides over several fresh processes of each: what differs from process to process is part of the uncertainty.

Two processes of the same code differ by more than their calls say: memory layout, page placement, thread placement. So a start,
a process of each side timed in alternation, gives ONE figure, and intervals come from the spread of these figures (Kalibera and
Jones, "Rigorous benchmarking in reasonable time", 2013: the highest level at which results vary is the one to repeat; Bulej et
al., "Duet benchmarking", 2020: what runs beside each other is compared pair by pair). A few starts estimate their own spread
badly; a value that is known beforehand is mixed in, with a stated weight (Smyth, "Linear models and empirical Bayes methods for
assessing differential expression", 2004: the moderated t).
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import exp, hypot, sqrt
from typing import Any

import numpy as np

from plugins.measures.latency.decision import Limit, Verdict, verdict
from plugins.measures.latency.paired import FEWEST_CALLS, Interval, calls_in_a_block
from plugins.measures.latency.power import longer, smallest_slowdown
from plugins.measures.latency.tail import Slow, rise

LOW = 20  # the percentile that stands for a start: other load only adds time, and a slowdown of all calls moves it as the rest
WAITED = 0.01  # a call was interrupted if its threads waited for a processor for this share of its time
FEWEST_OWN = 8  # calls of a process, which count even if they were interrupted
KNOWN = 4  # starts that what is known beforehand about the spread is worth
SELF_MADE = 0.001  # the chance that ours are interrupted so much more often although both share the machine alike
FEWEST_BLOCKS = 3  # of each side in a start
LOOKS_AT = (2, 4, 6, 8)  # starts after which the answer may be clear: LOOKS of them
STARTS = LOOKS_AT[-1]
PATIENCE = 10  # times the budget of timed calls: no more processes are started later, where starting them takes so long


@dataclass(frozen=True)
class Calls:
    """The timed calls of one side in one process: seconds, and the seconds that they waited for a processor, float64 [n]."""

    seconds: np.ndarray
    waited: np.ndarray

    @staticmethod
    def of(blocks: Sequence[tuple[Sequence[float], Sequence[float]]]) -> "Calls":
        """All blocks' calls."""
        seconds, waited = (np.array([value for block in blocks for value in block[i]], np.float64) for i in (0, 1))
        return Calls(seconds, waited)

    @property
    def own(self) -> np.ndarray:
        """Seconds of the calls that no other program interrupted; where these are too few, of those that waited least."""
        shares = self.waited / self.seconds
        least = float(np.sort(shares)[min(FEWEST_OWN, len(shares)) - 1])
        return np.compress(shares <= max(WAITED, least), self.seconds)

    @property
    def usual_s(self) -> float:
        """The figure that stands for them."""
        return float(np.percentile(self.own, LOW))


@dataclass(frozen=True)
class Start:
    """A process of each side."""

    ours: Calls
    other: Calls

    @property
    def log_ratio(self) -> float:
        """Of our time to the other's."""
        return float(np.log(self.ours.usual_s / self.other.usual_s))


def slow_calls(starts: Sequence[Start]) -> tuple[Slow, Slow]:
    """Count the slow calls of both sides. Calls that other programs interrupted say nothing of a side's code, unless ours are
    interrupted more often than the other's: then its own threads are what its calls wait for, and all calls count."""
    sides = [[start.ours for start in starts], [start.other for start in starts]]
    interrupted = [(sum(len(c.seconds) - len(c.own) for c in side), sum(len(c.seconds) for c in side)) for side in sides]
    ours_alone = rise(*interrupted) < SELF_MADE
    ours, other = (
        np.concatenate([(calls.seconds if ours_alone else calls.own) / calls.usual_s for calls in side]) for side in sides
    )
    return Slow.of(ours[:, None].tolist()), Slow.of(other[:, None].tolist())


@dataclass(frozen=True)
class Level:
    """The mean of some starts' log ratios, its standard error, and the degrees of freedom of that."""

    mean: float
    error: float
    freedom: float
    n: int

    @staticmethod
    def of(logs: Sequence[float], known: float) -> "Level":
        """`known` is the standard deviation between starts that is expected, and worth KNOWN of them."""
        spread = np.array(logs, np.float64)
        squares = KNOWN * known**2 + float(((spread - spread.mean()) ** 2).sum())
        freedom = KNOWN + len(logs) - 1
        return Level(float(spread.mean()), sqrt(squares / freedom / len(logs)), freedom, len(logs))

    def since(self, then: "Level") -> "Level":
        """The change from `then`: errors add in quadrature, degrees of freedom by Welch and Satterthwaite's formula."""
        error = hypot(self.error, then.error)
        freedom = error**4 / (self.error**4 / self.freedom + then.error**4 / then.freedom)
        return Level(self.mean - then.mean, error, freedom, min(self.n, then.n))

    def wider(self, error: float) -> "Level":
        """The same with an error in addition that no start shows, which is known well."""
        both = hypot(self.error, error)
        return Level(self.mean, both, self.freedom * (both / self.error) ** 4, self.n)

    def interval(self, confidence: float) -> Interval:
        """The ratio, by Student's t; `n` counts starts."""
        from scipy.stats import t

        half = float(t.ppf(0.5 + confidence / 2, self.freedom)) * self.error
        return Interval(exp(self.mean - half), exp(self.mean), exp(self.mean + half), confidence, self.n)


Block = Callable[[int], tuple[Sequence[float], Sequence[float]]]  # so many calls: seconds of each, seconds that each waited
Judged = Callable[["Level", list["Start"]], Verdict]
Begin = Callable[[], AbstractContextManager[tuple[Block, Block]]]  # a new process of each side, warmed up


def start(ours: Block, other: Block, seconds: float, rng: np.random.Generator) -> Start:
    """Time blocks of both sides in alternation and random order, for so many seconds and at least FEWEST_BLOCKS blocks each."""
    begun = time.perf_counter()
    calls = calls_in_a_block(max(min(block(FEWEST_CALLS)[0]) for block in (ours, other)))
    found: tuple[list[Any], list[Any]] = ([], [])
    while len(found[0]) < FEWEST_BLOCKS or time.perf_counter() - begun < seconds:
        for side in rng.permutation(2):
            found[side].append((ours, other)[side](calls))
    return Start(Calls.of(found[0]), Calls.of(found[1]))


@dataclass(frozen=True)
class Decision:
    """A verdict with the starts that it is based on."""

    verdict: Verdict
    found: Level
    limit: Limit
    starts: list[Start]
    spent_s: float  # in timed calls
    budget_s: float

    @property
    def interval(self) -> Interval:
        """Our time over the other side's."""
        return self.found.interval(self.limit.confidence)

    @property
    def left(self) -> float:
        """How many times longer the comparison would have taken if it had not been clear."""
        return 1.0 if self.verdict == "inconclusive" else max(1.0, STARTS / len(self.starts))

    @property
    def seen(self) -> float:
        """The smallest slowdown that the whole budget would have found with 95 % chance."""
        return smallest_slowdown(longer(self.interval, self.left), self.limit.slowdown)

    def __str__(self) -> str:
        found = self.interval
        change = f"{found.ratio - 1:+.2%} [{found.low - 1:+.2%}, {found.high - 1:+.2%}]"
        return f"{change} against {self.limit.slowdown:+.1%} allowed; would have seen {self.seen:+.1%}; {self.effort}"

    @property
    def effort(self) -> str:
        """The number of processes and calls, and the time spent in them."""
        calls = sum(len(start.ours.seconds) for start in self.starts)
        own = sum(len(start.ours.own) for start in self.starts)
        rest = f", {own} of them uninterrupted" if own < calls else ""
        return f"{len(self.starts)} fresh processes a side, {calls} calls{rest}, in {self.spent_s:.1f} s"


def decide_by_starts(
    begin: Begin, limit: Limit, known: float, budget_s: float, judged: Judged | None = None, looks: Sequence[int] = LOOKS_AT
) -> Decision:
    """Start processes until a look is clear or the budget is spent; Limit.confidence corrects for the repeated looks.

    `known`: see Level.of. `judged` replaces `verdict` if the limit is not on the ratio itself (but on its change, for example).
    """
    starts: list[Start] = []
    spent_s, rng, ends = 0.0, np.random.default_rng(), time.perf_counter() + PATIENCE * budget_s
    for look in looks:
        while len(starts) < look and (len(starts) < looks[0] or time.perf_counter() < ends):
            with begin() as (ours, other):
                begun = time.perf_counter()
                starts.append(start(ours, other, budget_s / looks[-1], rng))
                spent_s += time.perf_counter() - begun
        found = Level.of([each.log_ratio for each in starts], known)
        answer = judged(found, starts) if judged else verdict(found.interval(limit.confidence), limit.slowdown)
        if answer != "inconclusive":
            break
    return Decision(answer, found, limit, starts, spent_s, budget_s)
