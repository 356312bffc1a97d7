"""`--soak`: calls that go wrong late or seldom are found, and how rare they may be is said."""

import json
from pathlib import Path

import numpy as np
import pytest

from plugins.measures.soak import Soak
from suites.selftest.conftest import Run

ONE = ("--device=cpu", "--precision=fp32", "--preprocessor=original_clip", "-p", "suites.selftest.planted.late_backends")


@pytest.mark.parametrize("calls", [10, 1000, 100_000])
def test_what_it_would_find(calls: int) -> None:
    """By the binomial distribution: with that share of wrong calls, no wrong call in all of them has a probability of 5 %."""
    share = 1 / Soak(calls, 1.0, np.zeros(1), "").finds_1_in
    assert (1 - share) ** calls == pytest.approx(0.05)


def test_the_promise(run: Run, tiny: list[str], tmp_path: Path) -> None:
    """E18 breaks for what goes wrong late and seldom, and names the call; the table has the calls of each tower."""
    backends = ("never", "late", "seldom")
    names = ",".join(f"wrong-{name}" for name in backends)
    done = run("suites/embeddings/test_soak.py", *ONE, *tiny, f"--backend={names}", "--soak=3", "-k", "text")
    rows = {row["backend"]: row for row in json.loads((tmp_path / "report.json").read_text())["cells"]}
    broken = {name: rows[f"wrong-{name}"]["broken_promises"] for name in backends}
    assert broken == {"never": [], "late": ["E18"], "seldom": ["E18"]}, done.stdout[-4000:]
    figures = rows["wrong-never"]["soak"]["text"]
    assert figures["calls"] > 900 and f"{figures['calls']:,}" in done.stdout
    assert "(farthest: call " in done.stdout and "--soak=3" in done.stdout and "--seed=" in done.stdout


def test_it_is_asked_for(run: Run, tiny: list[str]) -> None:
    """No run soaks without the option; naming the suite alone, or a wrong number of seconds, is one sentence."""
    assert "test_soak" not in run(*ONE, *tiny, "--collect-only", "-q", "--backend=wrong-never").stdout
    done = run("suites/embeddings/test_soak.py", *ONE, *tiny, "--backend=wrong-never")
    assert done.returncode == 4 and "calls encoders for a time: add --soak=SECONDS" in done.stdout + done.stderr
    done = run(*ONE, *tiny, "--soak=-1")
    assert done.returncode == 4 and "--soak is '-1', expected a number of seconds above 0" in done.stdout + done.stderr
