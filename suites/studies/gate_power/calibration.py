"""The true size of a planted slowdown, and the overhead of measuring: both in alternation, on the machine as it is."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from plugins.measures.latency.decision import Limit, decide
from plugins.measures.latency.paired import (
    CALLS,
    FEWEST,
    FEWEST_CALLS,
    Block,
    Interval,
    interval,
    no_garbage_collection,
    pair,
    timed,
)
from suites.studies.gate_power.cell import UNITS, cell, units

CONFIDENCE = 0.99


def planted(percent: int, unit_bytes: int, seconds: float, rng: np.random.Generator) -> dict[str, float]:
    """The measured ratio of a planted slowdown, with its interval."""
    new, old = timed(cell(units(percent), unit_bytes)), timed(cell(UNITS, unit_bytes))
    return {"percent": percent, **alternated(new, old, seconds, rng)}


def alternated(new: Block, old: Block, seconds: float, rng: np.random.Generator) -> dict[str, Any]:
    """The ratio of two blocks in alternation, with its interval."""
    with no_garbage_collection():
        return _figures(interval(np.array(list(_until(seconds, lambda: pair(new, old, rng)))), CONFIDENCE))


def overhead(unit_bytes: int, seconds: float, repeats: int, rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """A call within decide() against one in a bare loop, alternated, by processor time and by the clock on the wall.

    `seconds` is decide()'s budget. It waits for nothing, so that processor time is all it costs; the wall's clock counts what
    others take of the machine too, and its interval is as wide as that.
    """
    call = cell(UNITS, unit_bytes)
    block = timed(call)

    def both() -> list[tuple[float, float]]:
        before = _clocks()
        count = 2 * (FEWEST_CALLS + CALLS * len(decide(block, block, Limit(slowdown=0.0), seconds, rng).pairs))
        between = _clocks()
        for _ in range(count):
            call()
        after = _clocks()
        return [((b - a) / count, (c - b) / count) for a, b, c in zip(before, between, after, strict=True)]

    both()  # imports SciPy
    found = np.array([both() for _ in range(max(repeats, FEWEST))])
    return {name: _figures(interval(found[:, i], CONFIDENCE)) for i, name in enumerate(("processor", "wall"))}


def _clocks() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


def _until(seconds: float, step: Callable[[], tuple[float, float]]) -> Iterator[tuple[float, float]]:
    ends, n = time.perf_counter() + seconds, 0
    while n < FEWEST or time.perf_counter() < ends:
        yield step()
        n += 1


def _figures(found: Interval) -> dict[str, Any]:
    return {"ratio": found.ratio, "low": found.low, "high": found.high, "confidence": found.confidence, "n": found.n}
