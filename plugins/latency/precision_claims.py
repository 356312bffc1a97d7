"""Reports a "faster" precision that is slower than fp32 on this machine; --strict-claims fails the run for it."""

from math import exp, hypot, log
from typing import Any

import pytest

from fixtures.capability import TOWERS
from fixtures.cells import EncoderKey
from plugins.measures.latency.reference import reference_key
from plugins.report.rows import RESULTS, Results

FASTER = ("tf32", "fp16", "bf16", "int8")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --strict-claims. Off by default: whether fp16 is faster depends more on the machine than on the backend."""
    text = "fail the run if a precision that should be faster is slower than fp32"
    parser.getgroup("clip-conformance").addoption("--strict-claims", action="store_true", help=text)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Compare all timed encoders before the report is written."""
    results = session.config.stash[RESULTS]
    slower_precisions(results)
    slower = any("slower_than_fp32" in measures for measures in results.measures.values())
    if slower and session.config.getoption("--strict-claims") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def slower_precisions(results: Results) -> None:
    """Add `slower_than_fp32` to the measures of each such encoder, by tower: the compared encoder and the ratio."""
    known = {key: results.measures[name].get("latency_ratio", {}) for name, key in results.encoders.items()}
    for key, ratios in known.items():
        if key.base not in FASTER:
            continue
        own = EncoderKey(key.model, key.backend, "fp32", key.device)
        for tower in TOWERS:
            ours, than = ratios.get(tower), own
            theirs = known.get(own, {}).get(tower)
            if own == reference_key(key) or theirs is None:  # all ratios are relative to the reference
                theirs, than = {"ratio": 1.0, "low": 1.0, "high": 1.0}, reference_key(key)
            if ours is None:
                continue
            ratio, low, high = _between(ours, theirs)
            if low > 1:
                found = {"than": str(than), "ratio": ratio, "low": low, "high": high}
                results.measures[str(key)].setdefault("slower_than_fp32", {})[tower] = found


def _between(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[float, float, float]:
    """Ours over theirs, with the interval whose halves add in quadrature, in logarithms."""
    ratio = ours["ratio"] / theirs["ratio"]
    below = hypot(log(ours["ratio"] / ours["low"]), log(theirs["high"] / theirs["ratio"]))
    above = hypot(log(ours["high"] / ours["ratio"]), log(theirs["ratio"] / theirs["low"]))
    return ratio, ratio * exp(-below), ratio * exp(above)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print one line for each."""
    for name, measures in config.stash[RESULTS].measures.items():
        for tower, found in measures.get("slower_than_fp32", {}).items():
            terminalreporter.write_line(
                f"slower than fp32: {name} takes {found['ratio']:.2f} [{found['low']:.2f}, {found['high']:.2f}] times as long "
                f"as {found['than']} for {'an' if tower == 'image' else 'a'} {tower}",
                yellow=True,
            )
