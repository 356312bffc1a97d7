"""Fault 6: a "faster" precision that is slower than fp32 on this machine is named, by its interval and not by chance."""

import pytest

from fixtures.cells import EncoderKey
from plugins.latency.precision_claims import slower_precisions
from plugins.report.rows import Results


def results(*found: tuple[str, str, float]) -> Results:
    """Backend, precision, and how long an image takes against torch eager fp32, each known within 2 %."""
    results = Results()
    for backend, precision, ratio in found:
        key = EncoderKey("m", backend, precision, "cpu")
        results.encoders[str(key)] = key
        interval = {"ratio": ratio, "low": ratio * 0.98, "high": ratio * 1.02, "confidence": 0.95, "n": 20}
        results.measures[str(key)]["latency_ratio"] = {"image": interval}
    slower_precisions(results)
    return results


@pytest.mark.parametrize(
    ("found", "than"),
    [
        ((("ort", "fp32", 0.6), ("ort", "fp16", 0.7)), "m-ort-fp32-cpu"),  # faster than the reference, slower than its own fp32
        ((("torch-eager", "fp32", 4.0), ("torch-eager", "fp16", 1.1)), "m-torch-eager-fp32-cpu"),  # 4.0 is to the anchor
        ((("int8-only", "int8", 1.3),), "m-torch-eager-fp32-cpu"),
    ],
)
def test_slower_is_named(found: tuple[tuple[str, str, float], ...], than: str) -> None:
    """Against its own backend's fp32, else against the reference."""
    measures = results(*found).measures
    name = f"m-{found[-1][0]}-{found[-1][1]}-cpu"
    slower = measures[name]["slower_than_fp32"]["image"]
    assert slower["than"] == than and 1 < slower["low"] < slower["ratio"]


@pytest.mark.parametrize(
    "found",
    [
        (("ort", "fp32", 0.6), ("ort", "fp16", 0.61)),  # within the intervals
        (("ort", "fp32", 0.6), ("ort", "int8", 0.3)),
        (("torch-eager", "fp32", 0.5), ("torch-eager", "bf16", 0.9)),
        (("slow", "fp32", 1.5),),  # claims nothing
    ],
)
def test_faster_or_unclear_is_not(found: tuple[tuple[str, str, float], ...]) -> None:
    """No line for a precision that is faster, that may be, or that claims no speed."""
    assert not any("slower_than_fp32" in measures for measures in results(*found).measures.values())
