"""Many calls in a row: blocks of both sides in alternation, and the step at which ours begin to take longer."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log1p, sqrt
from typing import NotRequired

import numpy as np
from typing_extensions import TypedDict

from plugins.measures.latency.paired import FEWEST_CALLS
from plugins.measures.latency.starts import LOW, Block, Calls, Times
from plugins.measures.latency.step import higher, rise

CALLS = 2_200  # of our side: a limit on 2,000 calls shows in those behind them
IN_A_BLOCK = 10  # calls, so that a low percentile of them is steady
BLOCK_S = 0.04  # of a block of longer calls: 100 pairs of blocks in 8 seconds
SHARE = 20  # a step has one in so many blocks on each side of it
FEWEST_BLOCKS = 3  # on each side of a step
EARLY = 0.1  # of all calls come before the step for which `Series.seen` is stated: 200 of 2,000

DRAWS, STEPS, FOUND = 200, (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0), 0.95  # steps in standard deviations of a block's figure


class SustainedFigures(TypedDict):
    """Calls of the encoder in a row; `times`: how much longer a call takes after `after_calls`, if it does."""

    calls: int
    seconds: float
    after_calls: NotRequired[int]
    times: NotRequired[float]
    would_have_seen: NotRequired[float]  # absent where there were too few blocks


@dataclass(frozen=True)
class Step:
    """After so many calls a call takes `times` as long as before, beside the other side's."""

    after_calls: int
    times: float


@dataclass(frozen=True)
class Series:
    """Log ratios of our blocks to the other side's, float64 [n], how many calls we had made before each, and in all."""

    logs: np.ndarray
    before: np.ndarray
    calls: int
    seconds: float

    @property
    def side(self) -> int:
        """The fewest blocks on each side of a step."""
        return max(FEWEST_BLOCKS, len(self.logs) // SHARE)

    def step(self, allowed: float, chance: float) -> Step | None:
        """The step up by more than `allowed` (0.05 is 5 %) that chance does not explain with probability `chance`."""
        at = rise(self.logs, log1p(allowed), chance, self.side)
        return None if at is None else self._at(at)

    def again(self, first: Step, allowed: float, chance: float) -> Step | None:
        """The same step in this series, which another start gave: after as many calls, so that only one split is tried."""
        at = int(np.searchsorted(self.before, first.after_calls))
        if not self.side <= at <= len(self.logs) - self.side:
            return None
        return self._at(at) if higher(self.logs, at, log1p(allowed)) < chance else None

    def _at(self, at: int) -> Step:
        return Step(int(self.before[at]), exp(float(np.median(self.logs[at:]) - np.median(self.logs[:at]))))

    def seen(self, allowed: float, chance: float) -> float | None:
        """The smallest step, 0.1 is 10 %, after EARLY of all calls that is found with 95 % chance; None if none would be.

        The test is tried on DRAWS series of normal noise, as large as that between neighbouring blocks, which holds no step
        (1.4826 times the median absolute difference).
        """
        n, splits = len(self.logs), len(self.logs) - 2 * self.side + 1
        if splits < 1:
            return None
        early = max(self.side, round(EARLY * n))
        noise = 1.4826 * float(np.median(np.abs(np.diff(self.logs)))) / sqrt(2)
        drawn = np.random.default_rng(0).standard_normal((n, DRAWS))

        def found(step: float) -> float:
            return float(np.mean(higher(drawn, early, -step) * splits < chance))

        least = next((step for step in STEPS if found(step) >= FOUND), None)
        return None if least is None else exp(log1p(allowed) + noise * least) - 1

    def figures(self, allowed: float, chance: float, found: Step | None) -> SustainedFigures:
        """The form that report.json contains."""
        shown = SustainedFigures(calls=self.calls, seconds=self.seconds)
        if found:
            shown |= {"after_calls": found.after_calls, "times": found.times}
        seen = self.seen(allowed, chance)
        return shown if seen is None else shown | {"would_have_seen": seen}


def series(ours: Block, other: Block, seconds: float, rng: np.random.Generator, most: int = CALLS) -> Series:
    """Time blocks of both sides in alternation and random order, until ours made `most` calls or `seconds` are over."""
    begun, sides = time.perf_counter(), (ours, other)
    longest = max(min(block(FEWEST_CALLS)[0]) for block in sides)
    calls, made = int(np.clip(BLOCK_S / longest, FEWEST_CALLS, IN_A_BLOCK)), FEWEST_CALLS
    found: tuple[list[Times], list[Times]] = ([], [])
    before: list[int] = []
    while not before or (made < most and time.perf_counter() - begun < seconds):
        for side in rng.permutation(2):
            found[side].append(sides[side](calls))
        before.append(made)
        made += calls
    return series_of(found[0], found[1], before, made, time.perf_counter() - begun)


def series_of(ours: Sequence[Times], other: Sequence[Times], before: Sequence[int], calls: int, seconds: float) -> Series:
    """A block's figure is a low percentile of the calls that no other program interrupted. Pairs in which all were say
    nothing, unless these are more than half of all: then all calls count."""
    logs = _figures(ours, own=True) - _figures(other, own=True)
    known = np.isfinite(logs)
    if known.sum() * 2 < len(logs):
        logs, known = _figures(ours, own=False) - _figures(other, own=False), np.ones(len(logs), bool)
    return Series(logs[known], np.array(before)[known], calls, seconds)


def _figures(blocks: Sequence[Times], own: bool) -> np.ndarray:
    found = []
    for block in blocks:
        calls = Calls.of(*block)
        chosen = np.compress(~calls.interrupted, calls.seconds) if own else calls.seconds
        found.append(np.log(np.percentile(chosen, LOW)) if len(chosen) else np.nan)
    return np.array(found)
