"""Two calls measured in alternation: short blocks in random order, and the interval of their ratio."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Call = Callable[[], object]
Block = Callable[[int], float]  # run so many calls, give the median seconds of one
Pairs = NDArray[np.float64]  # [n, 2] seconds of one call: ours, the other's

CALLS = 5  # in a block: long enough for a median, short enough for both blocks of a pair to meet the same neighbour
FEWEST = 12  # pairs; below, Wilcoxon's normal approximation is no approximation


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
    """A block of a call in this process; the call itself returns only when its device has finished."""

    def block(calls: int) -> float:
        times = []
        for _ in range(calls):
            started = time.perf_counter()
            call()
            times.append(time.perf_counter() - started)
        return float(np.median(times))

    return block


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """The collector runs before, not within: a collection belongs to neither side."""
    gc.collect()
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def pair(ours: Block, other: Block, rng: np.random.Generator, calls: int = CALLS) -> tuple[float, float]:
    """One block of each, in random order, so that a drift of the clock favours neither."""
    if rng.integers(2):
        first = ours(calls)
        return first, other(calls)
    first = other(calls)
    return ours(calls), first


def fewest(confidence: float) -> int:
    """Pairs below which no interval of all data is this sure: n signs agree by chance in 2 of 2 ** n cases."""
    return max(FEWEST, int(np.ceil(1 - np.log2(1 - confidence))))


def interval(pairs: Pairs, confidence: float) -> Interval:
    """Hodges-Lehmann estimate of the median log ratio with its interval by inverting Wilcoxon's signed-rank test.

    Source: Hollander, Wolfe, Chicken, Nonparametric Statistical Methods, 3rd ed., sections 3.2 and 3.3 (large-sample form).
    It asks of the noise that it is symmetric on the two sides, which random order sees to, and no normal distribution.
    Raises ValueError for fewer than FEWEST pairs or times that are not positive.
    """
    from scipy.stats import norm

    n = len(pairs)
    if n < FEWEST or not (np.isfinite(pairs).all() and (pairs > 0).all()):
        raise ValueError(f"{n} pairs of times, expected {FEWEST} or more, all of them positive")
    logs = np.log(pairs[:, 0] / pairs[:, 1])
    rows, columns = np.triu_indices(n)
    averages = np.sort((logs[rows] + logs[columns]) / 2)
    spread = norm.ppf(0.5 + confidence / 2) * np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    edge = max(0, int(np.floor(n * (n + 1) / 4 - spread)))
    low, middle, high = averages[edge], np.median(averages), averages[len(averages) - 1 - edge]
    return Interval(float(np.exp(low)), float(np.exp(middle)), float(np.exp(high)), confidence, n)
