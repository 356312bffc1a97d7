"""What the gate promises: a cell is timed beside the reference, and held to its own newest stored run."""

import numpy as np
import pytest

from fixtures.capability import Tower
from fixtures.cells import EncoderKey
from plugins.cells.form import formed
from plugins.cells.promises import Judge
from plugins.cells.timed_vectors import of_others
from plugins.latency.adapter import Stopwatch
from plugins.latency.gate import Gate
from plugins.latency.timings import Timings
from plugins.report.rows import Record
from plugins.subjects import Subjects

pytestmark = pytest.mark.alone


def test_encode_in_alternation(
    subjects: Subjects,
    gate: Gate,
    timings: Timings,
    encoder_key: EncoderKey,
    tower: Tower,
    stopwatch: Stopwatch,
    judge: Judge,
    record: Record,
) -> None:
    """L4 against a reference in alternation, encoding is no slower than the newest stored run allows, nor more often slow."""
    timing = timings.of(subjects, encoder_key, tower)
    outcome = gate.measure(encoder_key, tower, timing, stopwatch)
    if outcome is None:
        return
    record(f"latency_ratio.{tower}", outcome.shown)
    judge(outcome, outcome.sentence)
    if ours := timing.ours:
        inputs = [batch for batch, _ in ours.looked_at]
        vectors = np.concatenate([formed(vector, 1, subjects.model.embed_dim, tower) for _, vector in ours.looked_at])
        others = of_others(subjects, tower, inputs, vectors)
        judge(not others, f"{others} of {len(vectors)} timed calls gave the vector of another input")
