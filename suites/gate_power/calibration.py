"""What a planted slowdown really is, and what our way of measuring costs: both in alternation, on the machine as it is."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from plugins.decision import Limit, decide
from plugins.paired import CALLS, FEWEST, Interval, interval, no_garbage_collection, pair, timed
from suites.gate_power.cell import UNITS, cell, units

CONFIDENCE = 0.99


def planted(percent: int, unit_bytes: int, seconds: float, rng: np.random.Generator) -> dict[str, float]:
    """The measured ratio of a planted slowdown, with its interval."""
    new, old = timed(cell(units(percent), unit_bytes)), timed(cell(UNITS, unit_bytes))
    with no_garbage_collection():
        found = interval(np.array(list(_until(seconds, lambda: pair(new, old, rng)))), CONFIDENCE)
    return {"percent": percent, **_figures(found)}


def overhead(unit_bytes: int, seconds: float, repeats: int, rng: np.random.Generator) -> dict[str, float]:
    """Time of a call within decide() over that of one in a bare loop, alternated; `seconds` is decide()'s budget."""
    call = cell(UNITS, unit_bytes)
    block = timed(call)

    def both() -> tuple[float, float]:
        decision = decide(block, block, Limit(slowdown=0.0), seconds, rng)
        count = 2 * CALLS * len(decision.pairs)
        started = time.perf_counter()
        for _ in range(count):
            call()
        return decision.spent_s / count, (time.perf_counter() - started) / count

    both()  # imports SciPy
    return _figures(interval(np.array([both() for _ in range(max(repeats, FEWEST))]), CONFIDENCE))


def _until(seconds: float, step: Callable[[], tuple[float, float]]) -> Iterator[tuple[float, float]]:
    ends, n = time.perf_counter() + seconds, 0
    while n < FEWEST or time.perf_counter() < ends:
        yield step()
        n += 1


def _figures(found: Interval) -> dict[str, Any]:
    return {"ratio": found.ratio, "low": found.low, "high": found.high, "confidence": found.confidence, "n": found.n}
