"""Is an input sooner answered when it comes again? Pairs of calls: a new input, and the same one once more."""

import time
from dataclasses import dataclass

import numpy as np

from fixtures.capability import Array, Encoder, Tokens, Tower
from plugins.measures.latency.paired import no_garbage_collection
from plugins.measures.latency.reference import Take

PAIRS = 15
SOONER = 0.5  # of a new input's time: a look-up takes far less, and what a warm processor cache saves far from that
ENOUGH = 13  # pairs: if chance makes a repeat so fast in 1 of 5, so many come up in 1 of 4 million runs (binomial)


@dataclass(frozen=True)
class Repeats:
    """What the pairs show."""

    ratio: float  # median time of a repeat over that of its new input
    sooner: int  # pairs in which the repeat took less than SOONER of it
    changed: int  # pairs whose two results differ in a bit
    pairs: int

    @property
    def remembered(self) -> bool:
        """True if the encoder answers repeats from memory."""
        return self.sooner >= ENOUGH


def repeats(encoder: Encoder, take: Take, tower: Tower) -> Repeats:
    """Measure PAIRS pairs; `take` gives batches of one row that the encoder has not had."""
    batches, ratios, changed = take(PAIRS), [], 0
    encoder.restore_settings()
    with no_garbage_collection():
        for batch in batches:
            first_s, first = _timed(encoder, batch, tower)
            first = np.array(first)
            again_s, again = _timed(encoder, batch, tower)
            ratios.append(again_s / first_s)
            changed += not np.array_equal(first, again, equal_nan=True)
    sooner = sum(ratio < SOONER for ratio in ratios)
    return Repeats(float(np.median(ratios)), sooner, changed, len(ratios))


def _timed(encoder: Encoder, batch: Array | Tokens, tower: Tower) -> tuple[float, Array]:
    started = time.perf_counter()
    result = encoder.encode(batch, tower)
    return time.perf_counter() - started, result
