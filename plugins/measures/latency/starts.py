"""Two sides over several fresh processes of each: what differs from process to process is part of the uncertainty.

Two processes of the same code differ by more than their calls say: memory layout, page placement, thread placement. So a start,
a process of each side timed in alternation, is what is drawn again for an interval (Kalibera and Jones, "Rigorous benchmarking
in reasonable time", 2013: the highest level at which results vary is the one to repeat; Bulej et al., "Duet benchmarking",
2020: what runs beside each other meets the same load).
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from plugins.measures.latency.decision import Limit, Verdict, verdict
from plugins.measures.latency.level import Level, Sides, usual_s
from plugins.measures.latency.paired import Interval
from plugins.measures.latency.power import smallest_slowdown
from plugins.measures.latency.tail import Slow, rise

LOW = 20  # the percentile that stands for a block: other load only adds time, and a slowdown of all calls moves it as the rest
WAITED = 0.01  # a call was interrupted if its threads waited for a processor for this share of its time
FEWEST_OWN = 2  # calls of a block that count even if they were interrupted
PROBED = 5  # calls, whose fastest says how many make a block
BLOCK_S, CALLS = 0.03, (3, 40)  # aim for a block of calls; the fewest and the most calls of one
FEWEST_BLOCKS = 3  # of each side in a start
SELF_MADE = 0.001  # the chance that ours are interrupted so much more often although both share the machine alike
START_S = 0.12  # of the budget, for a start: more starts tell more than more calls in each, because starts differ more
LOOKS = (0.2, 0.4, 0.6, 1.0)  # shares of the starts after which the answer may be clear
FEWEST_STARTS, USUAL_STARTS = 2, 6  # that are made however long they take; that a small budget has
PATIENCE = 10.0  # times the budget of timed calls: no more processes are started later, where starting them takes so long


@dataclass(frozen=True)
class Calls:
    """A block of one side's timed calls: seconds, and the seconds that they waited for a processor, float64 [n]."""

    seconds: np.ndarray
    waited: np.ndarray

    @staticmethod
    def of(seconds: Sequence[float], waited: Sequence[float]) -> "Calls":
        """As a process measures them."""
        return Calls(np.array(seconds, np.float64), np.array(waited, np.float64))

    @property
    def interrupted(self) -> np.ndarray:
        """Which calls other programs interrupted, bool [n]: in which threads waited for a processor for WAITED of the time."""
        return np.asarray(self.waited > WAITED * self.seconds)

    @property
    def calm(self) -> bool:
        """True if enough of its calls were not interrupted."""
        return int((~self.interrupted).sum()) >= FEWEST_OWN

    @property
    def own(self) -> np.ndarray:
        """Seconds of the calls that were not interrupted; where these are too few, of those that waited least."""
        if self.calm:
            return np.compress(~self.interrupted, self.seconds)
        return np.take(self.seconds, np.argsort(self.waited / self.seconds)[:FEWEST_OWN])

    @property
    def at_least(self) -> np.ndarray:
        """Seconds of every call without its waiting, which is that of all threads together: no more than its own time."""
        return np.asarray(np.clip(self.seconds - self.waited, 0.0, None))

    @cached_property
    def usual_s(self) -> float:
        """The figure that stands for the block."""
        return float(np.percentile(self.own, LOW))


@dataclass(frozen=True)
class Start:
    """A process of each side: blocks in alternation, one of each at a time."""

    ours: list[Calls]
    other: list[Calls]

    @cached_property
    def blocks(self) -> Sides:
        """Seconds of the call that stands for each block, ours and the other's."""
        return [block.usual_s for block in self.ours], [block.usual_s for block in self.other]


def slow_calls(starts: Sequence[Start]) -> tuple[Slow, Slow]:
    """Count blocks with slow calls, of both sides. What a call waited for other programs is taken off, unless ours are
    interrupted more often than the other's: then its own threads are what its calls wait for."""
    sides = [block for start in starts for block in start.ours], [block for start in starts for block in start.other]
    interrupted = [(sum(int(b.interrupted.sum()) for b in side), sum(len(b.seconds) for b in side)) for side in sides]
    ours_alone = rise(*interrupted) < SELF_MADE
    ours, other = (Slow.of([((b.seconds if ours_alone else b.at_least) / b.usual_s).tolist() for b in side]) for side in sides)
    return ours, other


Times = tuple[Sequence[float], Sequence[float]]  # seconds of each call, seconds that each waited
Block = Callable[[int], Times]  # so many calls
Judged = Callable[[Level, list[Start], float], Verdict]  # with the look's confidence
Begin = Callable[[], AbstractContextManager[tuple[Block, Block]]]  # a new process of each side, warmed up


def in_a_block(side: Block) -> int:
    """How many calls make a block of this side: BLOCK_S of them, by the fastest of some."""
    return int(np.clip(BLOCK_S / min(side(PROBED)[0]), *CALLS))


def start(sides: tuple[Block, Block], calls: tuple[int, int], seconds: float, rng: np.random.Generator) -> Start:
    """Time blocks of both sides in alternation and random order: so many seconds of calls, and at least FEWEST_BLOCKS each.

    `calls`: in a block of each side.
    """
    spent_s = 0.0
    found: tuple[list[Calls], list[Calls]] = ([], [])
    while len(found[0]) < FEWEST_BLOCKS or spent_s < seconds:
        for side in rng.permutation(2):
            found[side].append(Calls.of(*sides[side](calls[side])))
            spent_s += float(found[side][-1].seconds.sum())
    return Start(*found)


@dataclass(frozen=True)
class DecisionByStarts:
    """A verdict with the starts that it is based on."""

    verdict: Verdict
    found: Level
    limit: Limit
    starts: list[Start]
    confidence: float  # two-sided, of the last look
    wanted: int  # starts in the whole budget

    @property
    def interval(self) -> Interval:
        """Our time over the other side's."""
        return self.found.interval(self.confidence)

    @property
    def usual_s(self) -> tuple[float, float]:
        """Seconds of our call and of the other's."""
        ours, other = (usual_s([start.blocks[side] for start in self.starts]) for side in (0, 1))
        return ours, other

    @property
    def whole(self) -> tuple[Level, float]:
        """What the whole budget would have found, about, and the confidence of its last look."""
        if self.verdict == "inconclusive" or len(self.starts) >= self.wanted:
            return self.found, self.confidence
        return self.found.longer(self.wanted / len(self.starts)), self.limit.after(1.0, LOOKS[-2])

    @property
    def seen(self) -> float:
        """The smallest slowdown that the whole budget would have found with 95 % chance."""
        level, confidence = self.whole
        return smallest_slowdown(level.interval(confidence), self.limit.slowdown)

    def __str__(self) -> str:
        found = self.interval
        change = f"{found.ratio - 1:+.2%} [{found.low - 1:+.2%}, {found.high - 1:+.2%}]"
        return f"{change} against {self.limit.slowdown:+.1%} allowed; would have seen {self.seen:+.1%}; {self.effort}"

    @property
    def effort(self) -> str:
        """The number of processes and calls."""
        blocks = [block for start in self.starts for block in start.ours]
        calls, interrupted = sum(len(block.seconds) for block in blocks), sum(int(block.interrupted.sum()) for block in blocks)
        processes = f"{len(self.starts)} process{'' if len(self.starts) == 1 else 'es'} a side"
        rest = f", {interrupted} of them interrupted by other programs" if interrupted else ""
        return f"{processes}, {calls} calls{rest}"


def starts_in(budget_s: float) -> int:
    """How many starts of each side a comparison of this budget makes, if the answer is not clear before."""
    return max(USUAL_STARTS, round(budget_s / START_S))


def decide_by_starts(
    begin: Begin, limit: Limit, known: float, budget_s: float, judged: Judged | None = None, wanted: int | None = None
) -> DecisionByStarts:
    """Start processes until a look is clear or the budget is spent; Limit.after corrects for the repeated looks.

    `known`: see Level.of. `judged` replaces `verdict` if the limit is not on the ratio itself (but on its change, for example).
    `wanted` replaces the number of starts of each side.
    """
    starts: list[Start] = []
    wanted, before, calls = wanted or starts_in(budget_s), 0.0, (0, 0)
    rng, ends = np.random.default_rng(), time.perf_counter() + PATIENCE * budget_s
    for look in sorted({min(wanted, max(FEWEST_STARTS, round(share * wanted))) for share in LOOKS}):
        while len(starts) < look and (len(starts) < FEWEST_STARTS or time.perf_counter() < ends):
            with begin() as sides:
                calls = calls if starts else (in_a_block(sides[0]), in_a_block(sides[1]))
                starts.append(start(sides, calls, budget_s / wanted, rng))
        last = look == wanted or time.perf_counter() >= ends
        confidence = limit.after(1.0 if last else look / wanted, before)
        found, before = Level.of([each.blocks for each in starts], known), look / wanted
        answer = judged(found, starts, confidence) if judged else verdict(found.interval(confidence), limit.slowdown)
        if last or answer != "inconclusive":
            break
    return DecisionByStarts(answer, found, limit, starts, confidence, wanted)
