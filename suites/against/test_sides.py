"""What a changed backend, or the same in another environment, promises beside what it is compared with."""

import pytest

from fixtures.capability import Tower
from fixtures.cells import EncoderKey
from plugins.against.side_by_side import METRICS, SideBySide
from plugins.cells.promises import Judge
from plugins.latency.gate import UNCLEAR
from plugins.report.rows import Record

pytestmark = pytest.mark.alone


def test_accuracy(side_by_side: SideBySide, encoder_key: EncoderKey, tower: Tower, judge: Judge, record: Record) -> None:
    """A1 both sides give the same vector: cosine and largest absolute difference within tolerance, for every input."""
    ours, other = side_by_side.weights(encoder_key)
    record("against", side_by_side.what(encoder_key))
    judge(ours == other, f"the sides loaded different weights: SHA-256 {ours[:12]}… here, {other[:12]}… there")
    drift = side_by_side.drift(encoder_key, tower)
    judge(drift.found.shape == drift.wanted.shape, f"embeddings of shape {drift.found.shape} here, {drift.wanted.shape} there")
    comparisons = [drift.comparison(metric) for metric in METRICS]
    figures = {comparison.metric: comparison.value for comparison in comparisons}
    worst = max(comparisons, key=lambda comparison: float(comparison.shares.max()))
    found = {**figures, "share_of_tolerance": float(worst.shares.max()), "worst_input": worst.inputs[worst.worst]}
    record(f"against.accuracy.{tower}", found)
    for comparison in comparisons:
        judge(comparison)


def test_latency(
    side_by_side: SideBySide, encoder_key: EncoderKey, tower: Tower, judge: Judge, record: Record, pytestconfig: pytest.Config
) -> None:
    """A2 this side is not slower, in the middle or in its slow calls: both sides' calls of new inputs in alternation."""
    latencies = side_by_side.latencies(encoder_key, tower)
    record("against", side_by_side.what(encoder_key))
    middle = latencies.middle
    interval = middle.interval
    record(
        f"against.latency.{tower}",
        {
            "verdict": latencies.verdict,
            "ratio": interval.ratio,
            "interval": [interval.low, interval.high],
            "confidence": interval.confidence,
            "allowed": 1 + middle.limit.slowdown,
            "starts": interval.n,
            "usual_ms": [1e3 * seconds for seconds in middle.usual_s],
            "would_have_seen": middle.seen,
            "tails": [tail.shown for tail in latencies.tails],
        },
    )
    unclear = latencies.verdict == "inconclusive"
    if unclear:
        pytestconfig.stash[UNCLEAR].append(f"{encoder_key} {tower}")
    enough = latencies.verdict == "pass" or (unclear and not pytestconfig.getoption("--strict-cells"))
    judge(enough, f"{latencies.verdict}: {latencies}")
