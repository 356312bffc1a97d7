"""Compares two calls in alternation: short blocks in random order, and a confidence interval of the ratio of their times."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Call = Callable[[], object]
Block = Callable[[int], float]  # runs this many calls and returns the seconds of the fastest
Pairs = NDArray[np.float64]  # [n, 2] seconds per call: ours, the other's

CALLS = 5  # per block: enough for one undisturbed call, few enough that both blocks of a pair meet the same load
BLOCK_S = 0.05  # aim for a block of long calls, which then has fewer than CALLS calls
FEWEST_CALLS = 2  # per block of long calls: more pairs give more information than more calls per block
FEWEST = 12  # pairs for an estimate


@dataclass(frozen=True)
class Interval:
    """The ratio of our time to the other's, with a two-sided confidence interval; 1.02 means 2 % slower."""

    low: float
    ratio: float
    high: float
    confidence: float
    n: int

    def __str__(self) -> str:
        return f"{self.ratio:.4f} [{self.low:.4f}, {self.high:.4f}]"


def clocked(call: Callable[[], object]) -> Callable[[], float]:
    """Return a function that makes a call, which returns only when its device has finished, and returns its seconds."""

    def timed() -> float:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    return timed


def timed(call: Call) -> Block:
    """Return a block of a call in this process; the call must return only when its device has finished.

    A block's time is that of its fastest call, because other load on the machine only adds time. Over all blocks that is a low
    percentile of the call's time, not its minimum. A slowdown of only some calls shows in p95 and p99, which are reported too.
    """

    once = clocked(call)
    return lambda calls: min(once() for _ in range(calls))


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Disable garbage collection in the context and collect before it, so that neither side pays for a collection.

    Only young objects are collected: a full collection takes 10 ms, or 100 with torch loaded, of a budget of 2 seconds.
    """
    gc.collect(1)
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def calls_in_a_block(call_s: float) -> int:
    """Return the number of calls per block, for calls of `call_s` seconds."""
    return int(np.clip(BLOCK_S / call_s, FEWEST_CALLS, CALLS))


def pair(ours: Block, other: Block, rng: np.random.Generator, calls: int = CALLS) -> tuple[float, float]:
    """Measure one block of each side in random order, so that clock drift favours neither; returns (ours, other's) seconds."""
    if rng.integers(2):
        first = ours(calls)
        return first, other(calls)
    first = other(calls)
    return ours(calls), first


def fewest(confidence: float) -> int:
    """Return the fewest pairs that can reach this confidence: n equal signs have a probability of 1 in 2^n on each side."""
    return max(FEWEST, int(np.floor(np.log2(2 / (1 - confidence)))) + 1)


def interval(pairs: Pairs, confidence: float) -> Interval:
    """Return the median ratio with its exact interval, from the signs of log ratios.

    The sign test assumes only that noise affects both sides of a pair equally, which random order ensures. Signed ranks need
    fewer pairs if noise is small and even, but more if a tenth of the pairs are outliers. In 2 seconds of times recorded at a
    load of 6 on 2 cores, signs detected an added 1 % in 92 to 95 % of cases, ranks in 73 to 80 %.
    Raises ValueError for fewer than fewest(confidence) pairs or for times that are not positive.
    """
    n = len(pairs)
    if n < fewest(confidence) or not (np.isfinite(pairs).all() and (pairs > 0).all()):
        raise ValueError(f"found {n} pairs of times, expected at least {fewest(confidence)}, all positive")
    logs = np.log(pairs[:, 0] / pairs[:, 1])
    low, high = median_interval(logs, confidence)
    return Interval(float(np.exp(low)), float(np.exp(np.median(logs))), float(np.exp(high)), confidence, n)


def median_interval(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Return a confidence interval of the median of float64 [n], for any distribution, by inverting the sign test.

    If there are too few values for that confidence, the bounds are the smallest and the largest value.
    """
    from scipy.stats import quantile_test

    found = quantile_test(values, p=0.5).confidence_interval(confidence)
    return float(np.fmax(found.low, values.min())), float(np.fmin(found.high, values.max()))
