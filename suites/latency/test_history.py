"""What the gate promises: a cell is timed beside the reference, and held to its own newest stored run."""

from typing import TYPE_CHECKING

from fixtures.capability import Tower
from fixtures.cells import EncoderKey
from plugins.cells.promises import Judge
from plugins.latency.gate import Gate
from plugins.measures.latency.reference import calls_of
from plugins.report.rows import Record
from plugins.subjects import Subjects

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture


def test_encode_in_alternation(
    subjects: Subjects, gate: Gate, encoder_key: EncoderKey, tower: Tower,
    benchmark: "BenchmarkFixture", judge: Judge, record: Record,
) -> None:  # fmt: skip
    """L4 against a reference timed in alternation, encoding is no slower than in the cell's newest stored run allows."""
    ours = calls_of(subjects.encoder(encoder_key).encoder, subjects.rotating_inputs(tower), tower)
    benchmark.pedantic(ours, args=(1,), rounds=1, warmup_rounds=1)
    if not benchmark.enabled:
        return
    reference = subjects.reference(encoder_key, tower)
    outcome = gate.measure(encoder_key, tower, ours, reference)
    shown, stored = gate.report(outcome, (str(encoder_key), tower, reference[0]))
    benchmark.stats.stats.data[:] = outcome.decision.pairs[:, 0].tolist()  # each block's fastest, in place of the one call
    benchmark.extra_info.update(stored)
    record(f"latency_ratio.{tower}", shown)
    judge(outcome, str(outcome))
