"""The likely cause of wrong vectors, for encoders whose fault is known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fixtures.capability import Array, Tower
from plugins.measures.vectors.cause import likely_cause
from plugins.measures.vectors.drift import Drift
from plugins.measures.vectors.metrics import METRICS

ROWS, WIDTH = 40, 16
RNG = np.random.default_rng(0)
TEXTS = np.zeros((ROWS, 12), np.int64)
for number, row in enumerate(TEXTS):
    row[: 2 + number % 10] = 1 + RNG.integers(0, 1000, 2 + number % 10)
WEIGHTS = RNG.standard_normal((12, WIDTH))


def right(batch: Any) -> Array:
    """Vectors [N, WIDTH], each of its own row."""
    return np.asarray(np.sin(batch @ WEIGHTS), np.float32)


class Planted:
    """Encodes by a function of the batch and of the number of the call."""

    def __init__(self, encode: Callable[[Any, int], Array]) -> None:
        self.how, self.calls = encode, 0

    def encode(self, batch: Any, tower: Tower) -> Array:
        self.calls += 1
        return self.how(batch, self.calls)


def large_batches(batch: Any, call: int) -> Array:
    return right(batch)[::-1].copy() if len(batch) >= 20 else right(batch)


def once(batch: Any, call: int) -> Array:
    return right(batch) * np.float32(1.1 if call == 1 else 1)


def one_now_and_then(batch: Any, call: int) -> Array:
    found = right(batch)
    found[0] *= np.float32(1.1 if call in (1, 3) and len(batch) in (1, ROWS) else 1)
    return found


def long_texts(batch: Any, call: int) -> Array:
    found = right(batch)
    found[(batch != 0).sum(axis=1) >= 9] = 1
    return found


def of_one_length(batch: Any, call: int) -> Array:
    found = right(batch)
    found[(batch != 0).sum(axis=1) == 4] *= np.float32(2)
    return found


def turned(batch: Any, call: int) -> Array:
    return right(batch[:, ::-1])


FAULTS: dict[Callable[[Any, int], Array], str] = {
    large_batches: "in a batch of 32 they do not: look at the batch",
    once: "right vectors in a second call: look at what changes between calls",
    one_now_and_then: "right vectors in a second call: look at what changes between calls",
    long_texts: "only texts of 9 tokens or more are wrong",
    of_one_length: "only texts of 4 tokens are wrong",
    turned: "every input is wrong, one by one too",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_cause(fault: Callable[[Any, int], Array]) -> None:
    """As a person would find it."""
    assert FAULTS[fault] in cause(Planted(fault))


def test_vectors_of_others() -> None:
    """A table that is off by one row."""
    known = {row.tobytes(): vector for row, vector in zip(TEXTS, np.roll(right(TEXTS), 1, axis=0), strict=True)}
    found = cause(Planted(lambda batch, call: np.stack([known[row.tobytes()] for row in batch])))
    assert "the vectors are those of other inputs (0 has the one of 39)" in found


def test_nothing_to_explain() -> None:
    """Right vectors have no cause."""
    assert cause(Planted(lambda batch, call: right(batch))) == ""


def cause(encoder: Planted) -> str:
    """Of the first call with all texts."""
    limits = {metric: np.full(ROWS, 1e-6) for metric in METRICS}
    drift = Drift(TEXTS, encoder.encode(TEXTS, "text"), right(TEXTS), [str(i) for i in range(ROWS)], limits)
    return likely_cause(encoder, drift, "text")  # type: ignore[arg-type]
