"""What the gate promises: a cell is timed beside the reference, and held to its own newest stored run."""

import pytest

from fixtures.capability import Tower
from fixtures.cells import EncoderKey
from plugins.cells.new_inputs import new_inputs
from plugins.cells.promises import Judge
from plugins.latency.adapter import Stopwatch
from plugins.latency.gate import Gate
from plugins.measures.latency.reference import Calls, calls_of
from plugins.report.rows import Record
from plugins.subjects import Subjects

pytestmark = pytest.mark.alone


def test_encode_in_alternation(
    subjects: Subjects,
    gate: Gate,
    encoder_key: EncoderKey,
    tower: Tower,
    stopwatch: Stopwatch,
    judge: Judge,
    record: Record,
    pytestconfig: pytest.Config,
) -> None:
    """L4 against a reference in alternation, encoding is no slower than the newest stored run allows, nor more often slow."""
    inputs = new_inputs(subjects, encoder_key, tower, pytestconfig.getoption("--seed"))
    ours = calls_of(subjects.encoder(encoder_key).encoder, inputs.take, tower)

    def reference() -> tuple[str, Calls]:
        return subjects.reference(encoder_key, tower, inputs.beside().take)

    outcome = gate.measure(encoder_key, tower, ours, reference, stopwatch)
    if outcome is None:
        return
    record(f"latency_ratio.{tower}", outcome.shown)
    judge(outcome, outcome.sentence)
