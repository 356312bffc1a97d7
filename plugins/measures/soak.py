"""Calls an encoder for a given time and compares every vector: finds results that are wrong late, or in few calls."""

import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from fixtures.capability import TOWERS, Array, Encoder, Tokens, Tower
from plugins.measures.vectors.metrics import cosine_distance

ROWS = (1, 1, 1, 1, 1, 1, 2, 3, 8, 17)  # rows of calls, drawn from: clients send one document for the most part
OTHER = 10  # one of so many calls is of the other tower
HELD = 16  # results that are compared only after so many later calls: a buffer may be reused, or filled late
FARTHEST = 2.0  # cosine distance of opposite vectors; stands for a vector that is not finite
CONFIDENCE = 0.95


class SoakFigures(TypedDict):
    """Calls of a soak and their seconds; one wrong call in `finds_1_in` would have shown with a probability of 95 %."""

    calls: int
    seconds: float
    finds_1_in: float


@dataclass(frozen=True)
class Soak:
    """The farthest vector of each input in all calls."""

    calls: int
    seconds: float
    distances: NDArray[np.float64]  # [N], cosine distance to the expected vector
    worst: str  # the call with the farthest vector

    @property
    def finds_1_in(self) -> float:
        """If one in so many calls is wrong, this many calls show one with a probability of CONFIDENCE: 1 - (1 - p)^calls."""
        return float(1 / (1 - (1 - CONFIDENCE) ** (1 / self.calls)))

    def report(self) -> SoakFigures:
        """Return the figures for the report."""
        return {"calls": self.calls, "seconds": round(self.seconds, 1), "finds_1_in": round(self.finds_1_in, 1)}


def soak(
    encoder: Encoder, inputs: "dict[Tower, Array | Tokens]", wanted: Array, tower: Tower, seconds: float, seed: int
) -> Soak:
    """Call both towers with rows drawn at random, for `seconds`, and compare the vectors of `tower` with `wanted` [N, D]."""
    rng, other = np.random.default_rng(seed), TOWERS[1 - TOWERS.index(tower)]
    farthest, calls, worst = np.zeros(len(wanted)), 0, (-1.0, "")
    held: deque[tuple[int, NDArray[np.int64], Array]] = deque()

    def look() -> None:
        nonlocal worst
        call, rows, found = held.popleft()
        with np.errstate(invalid="ignore"):
            distances = np.nan_to_num(cosine_distance(found, wanted[rows]), nan=FARTHEST)
        np.maximum.at(farthest, rows, distances)
        worst = max(worst, (float(distances.max()), f"call {call}, with {len(rows)} row{'s' * (len(rows) > 1)}"))

    started = time.monotonic()
    while not calls or time.monotonic() - started < seconds:
        if rng.integers(OTHER) == 0:
            encoder.encode(inputs[other][rng.integers(len(inputs[other]), size=1)], other)
            continue
        rows = rng.integers(len(wanted), size=int(rng.choice(ROWS)))
        calls += 1
        held.append((calls, rows, encoder.encode(inputs[tower][rows], tower)))
        if len(held) > HELD:
            look()
    elapsed = time.monotonic() - started
    while held:
        look()
    return Soak(calls, elapsed, farthest, worst[1])
