"""Batch-1 latency: the first call, calls until steady, percentiles of the steady state, and the time of each stage."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from fixtures.capability import Array, Encoder, Geometry, Preprocessor, Tower
from fixtures.datasets import Dataset
from plugins.measures.latency.paired import median_interval, no_garbage_collection

MOST_WARM_UP_CALLS = 100
MOST_WARM_UP_S = 3.0
WINDOW = 5  # calls whose median is compared with that of the previous window
STEADY = 0.10  # steady if consecutive windows differ by less than this, twice in a row
ROUNDS = (30, 300)
DOCUMENT_ROUNDS = (10, 15)  # for all stages of a cell; ROUNDS are for its encoder alone
WARM_UPS = 2  # calls before those that are timed
FILE_CALLS = 7  # calls of decode and transform per timed file
BUDGET_S = 0.6  # per benchmark; a slow cell exceeds it to get the fewest rounds


@dataclass(frozen=True)
class WarmUp:
    """The cost of the first calls, which no latency figure includes."""

    first_call_ms: float
    calls_to_steady: int
    steady_ms: float

    @property
    def figures(self) -> dict[str, float]:
        """Milliseconds of the first call and a count, for the report."""
        return {"first_call": self.first_call_ms, "calls_to_steady": self.calls_to_steady}


def warm_up(call: Callable[[], object], most_s: float = MOST_WARM_UP_S) -> WarmUp:
    """Call until two neighbouring windows of calls agree twice in a row, or `most_s` seconds are over."""
    times: list[float] = []
    agreed = 0
    started = time.perf_counter()
    while len(times) < MOST_WARM_UP_CALLS and (time.perf_counter() - started < most_s or len(times) < 3):
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
        if len(times) >= 2 * WINDOW:
            earlier, later = np.median(times[-2 * WINDOW : -WINDOW]), np.median(times[-WINDOW:])
            agreed = agreed + 1 if abs(later / earlier - 1) < STEADY else 0
            if agreed == 2:
                break
    steady = float(np.median(times[-WINDOW:]))
    slow = [i for i, seconds in enumerate(times[: -WINDOW or None], 1) if seconds > 1.5 * steady]
    return WarmUp(1e3 * times[0], max(slow, default=0), 1e3 * steady)


class Percentiles(TypedDict):
    """Milliseconds; p50_low and p50_high hold the median with 95 % confidence; n is a count."""

    p50: float
    p90: float
    p95: float
    p99: float
    p50_low: float
    p50_high: float
    min: float
    max: float
    stddev: float
    n: int


class Timer(Protocol):
    """Times calls after some untimed warm-up calls."""

    def __call__(self, call: Callable[[], object], rounds: int, warm_ups: int) -> NDArray[np.float64] | None:
        """Return the seconds of each call, float64 [rounds]; None if timing is disabled."""


def rounds(expected_ms: float, rounds_of: tuple[int, int] = ROUNDS) -> int:
    """Return how many calls of about `expected_ms` milliseconds are timed: as many as BUDGET_S allows, within `rounds_of`."""
    return int(np.clip(1e3 * BUDGET_S / expected_ms, *rounds_of))


def measure(
    timer: Timer, call: Callable[[], object], expected_ms: float, rounds_of: tuple[int, int] = ROUNDS
) -> NDArray[np.float64] | None:
    """Return the seconds of each `call`, which must return only when its result is on the host; None if `timer` returns None.

    `rounds_of`: the fewest and the most rounds, see `rounds`; WARM_UPS calls come before them.
    """
    with no_garbage_collection():
        return timer(call, rounds(expected_ms, rounds_of), warm_ups=WARM_UPS)


def percentiles(seconds: np.ndarray) -> Percentiles:
    """Return the percentiles of call times in seconds [N]."""
    ms = 1e3 * np.sort(np.asarray(seconds, np.float64))
    p50, p90, p95, p99 = np.percentile(ms, (50, 90, 95, 99)).tolist()
    low, high = median_interval(ms, 0.95)
    return {
        "p50": p50,
        "p90": p90,
        "p95": p95,
        "p99": p99,
        "p50_low": low,
        "p50_high": high,
        "min": float(ms[0]),
        "max": float(ms[-1]),
        "stddev": float(ms.std(ddof=1)) if len(ms) > 1 else 0.0,
        "n": len(ms),
    }


class Stages:
    """Times one document from file to vector, stage by stage: decode, preprocess, upload, encode, download."""

    NAMES = ("decode", "preprocess", "host_to_device", "encode", "device_to_host")

    def __init__(self, encoder: Encoder, preprocessor: Preprocessor, paths: Sequence[str], geometry: Geometry) -> None:
        """`paths`: of the documents, which take turns."""
        self.encoder, self.preprocessor, self.geometry = encoder, preprocessor, geometry
        self.times: list[list[float]] = []
        self.results: list[Array] = []
        self._paths = cycle(paths)

    def __call__(self) -> Array:
        """Run once and record when each stage ended; the device is idle before the next stage starts."""
        tower: Tower = "image"
        path = next(self._paths)
        clock = [time.perf_counter()]

        def tick() -> None:
            self.encoder.synchronize()
            clock.append(time.perf_counter())

        decoded = self.preprocessor.decode(path)
        tick()
        pixels = self.preprocessor.transform(decoded, self.geometry)[None]
        tick()
        batch = self.encoder.upload(pixels, tower)
        tick()
        output = self.encoder.forward(batch, tower)
        tick()
        embedding = self.encoder.download(output)
        tick()
        self.times.append(np.diff(clock).tolist())
        self.results.append(embedding)
        return embedding

    def medians(self) -> dict[str, float]:
        """Return the median milliseconds of each stage."""
        return dict(zip(self.NAMES, (1e3 * np.median(self.times, axis=0)).tolist(), strict=True))


def timed_files(dataset: Dataset) -> list[str]:
    """Return the first scene and, if the data set has odd files, the largest of them."""
    return [dataset.scenes[0], *sorted(dataset.odd, key=lambda name: -Path(dataset.path(name)).stat().st_size)[:1]]


def decode_and_transform(preprocessor: Preprocessor, path: str, geometry: Geometry) -> tuple[dict[str, float], list[Array]]:
    """Return median milliseconds of decode and transform on one file, and the pixels of each timed call."""
    times, pixels = [], []
    for _ in range(FILE_CALLS):
        start = time.perf_counter()
        decoded = preprocessor.decode(path)
        middle = time.perf_counter()
        found = preprocessor.transform(decoded, geometry)
        times.append((middle - start, time.perf_counter() - middle))
        pixels.append(found)
    decode, transform = 1e3 * np.median(times, axis=0)
    return {"decode": float(decode), "transform": float(transform)}, pixels
