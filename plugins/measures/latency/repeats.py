"""Is an input sooner answered when it comes again? Pairs of calls: a new input, and the same one once more."""

import time
from copy import copy
from dataclasses import dataclass

import numpy as np

from fixtures.capability import Array, Encoder, Tower
from plugins.measures.latency.paired import no_garbage_collection
from plugins.measures.latency.reference import Take

PAIRS = 15
SOONER = 0.5  # of a new input's time: a look-up takes far less, and what a warm processor cache saves far from that
ENOUGH = 13  # pairs: if chance makes a repeat so fast in 1 of 5, so many come up in 1 of 4 million runs (binomial)


@dataclass(frozen=True)
class Repeats:
    """What the pairs show; `first` and `again` hold copies of the results as they came."""

    ratios: list[float]  # time of a repeat over that of its new input
    first: list[Array]
    again: list[Array]

    @property
    def ratio(self) -> float:
        """The median."""
        return float(np.median(self.ratios))

    @property
    def sooner(self) -> int:
        """Pairs in which the repeat took less than SOONER of the new input's time."""
        return sum(ratio < SOONER for ratio in self.ratios)

    @property
    def remembered(self) -> bool:
        """True if the encoder answers repeats from memory."""
        return self.sooner >= ENOUGH


def repeats(encoder: Encoder, take: Take, tower: Tower) -> Repeats:
    """Measure PAIRS pairs; `take` gives batches of one row that the encoder has not had."""
    batches, found = take(PAIRS), Repeats([], [], [])
    encoder.restore_settings()
    with no_garbage_collection():
        for batch in batches:
            seconds = []
            for results in (found.first, found.again):
                started = time.perf_counter()
                result = encoder.encode(batch, tower)
                seconds.append(time.perf_counter() - started)
                results.append(copy(result))
            found.ratios.append(seconds[1] / seconds[0])
    return found
