"""Two calls measured in alternation, in short blocks in random order, and the interval of their ratio."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Call = Callable[[], object]
Block = Callable[[int], float]  # run so many calls, give the seconds of the fastest
Pairs = NDArray[np.float64]  # [n, 2] seconds of one call: ours, the other's

CALLS = 5  # calls in a block: enough for one undisturbed call, few enough for both blocks of a pair to meet the same load
BLOCK_S = 0.05  # if CALLS calls take longer than this, a block has fewer calls,
FEWEST_CALLS = 2  # but at least these: many pairs are worth more than many calls in a block
FEWEST = 12  # fewest pairs for an estimate


@dataclass(frozen=True)
class Interval:
    """Ratio of our time to the other's, with a two-sided confidence interval; 1.02 is 2 % slower."""

    low: float
    ratio: float
    high: float
    confidence: float
    n: int

    def __str__(self) -> str:
        return f"{self.ratio:.4f} [{self.low:.4f}, {self.high:.4f}]"


def timed(call: Call) -> Block:
    """A block of a call in this process; the call itself returns only when its device has finished.

    The fastest of its calls stands for the block: what others do to the machine only ever adds. Over all blocks that is a low
    percentile of the call's time, not its minimum. What slows only some calls shows in p95 and p99, which are kept beside it.
    """

    def block(calls: int) -> float:
        times = []
        for _ in range(calls):
            started = time.perf_counter()
            call()
            times.append(time.perf_counter() - started)
        return min(times)

    return block


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Run garbage collection before the block, so that no collection falls into a timed call.

    Young objects only: a full collection takes 10 ms, and 100 with torch loaded, of a budget of 2 seconds.
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
    """How many calls of `call_s` seconds make a block."""
    return int(np.clip(BLOCK_S / call_s, FEWEST_CALLS, CALLS))


def pair(ours: Block, other: Block, rng: np.random.Generator, calls: int = CALLS) -> tuple[float, float]:
    """Time one block of each, in random order, so that a drift of the clock rate favours neither."""
    if rng.integers(2):
        first = ours(calls)
        return first, other(calls)
    first = other(calls)
    return ours(calls), first


def fewest(confidence: float) -> int:
    """The fewest pairs for this confidence: n equal signs have a chance of 1 in 2^n on each side."""
    return max(FEWEST, int(np.floor(np.log2(2 / (1 - confidence)))) + 1)


def interval(pairs: Pairs, confidence: float) -> Interval:
    """Median log ratio with its exact interval.

    All it asks of the noise is that either side of a pair is as likely to be hit, which random order sees to; pairs may depend
    on one another. Signed ranks want fewer pairs where noise is small and even, and more where a tenth of them are off by a
    factor: over 2 seconds of times recorded at a load of 6 on 2 cores, signs found an added 1 % in 92 to 95 % of cases, ranks
    in 73 to 80.
    Raises ValueError for fewer than fewest(confidence) pairs or times that are not positive.
    """
    n = len(pairs)
    if n < fewest(confidence) or not (np.isfinite(pairs).all() and (pairs > 0).all()):
        raise ValueError(f"{n} pairs of times, expected {fewest(confidence)} or more, all of them positive")
    logs = np.log(pairs[:, 0] / pairs[:, 1])
    low, high = median_interval(logs, confidence)
    return Interval(float(np.exp(low)), float(np.exp(np.median(logs))), float(np.exp(high)), confidence, n)


def median_interval(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Bounds of the median of float64 [n], whatever the distribution, by inverting the sign test.

    Too few values for that confidence have none: then they are the least and the largest value.
    """
    from scipy.stats import quantile_test

    found = quantile_test(values, p=0.5).confidence_interval(confidence)
    return float(np.fmax(found.low, values.min())), float(np.fmin(found.high, values.max()))
