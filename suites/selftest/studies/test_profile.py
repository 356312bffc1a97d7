"""Each second of a run counts once, for the innermost of what is going on."""

import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from fixtures import ROOT, truth
from fixtures.capability import Encoder
from plugins import subjects
from suites.selftest.patience import HANG_S
from suites.studies.profile import ledger as module
from suites.studies.profile.__main__ import page, watch
from suites.studies.profile.ledger import KINDS, Ledger


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that is turned by hand: `clock.now += seconds`."""
    turned = SimpleNamespace(now=100.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: turned.now, time=lambda: turned.now))
    return turned


def test_the_innermost_counts(clock: SimpleNamespace) -> None:
    """Loading takes in what it encodes, measuring all but what it loads, and a part of loading is an export."""
    ledger = Ledger("start", since=97.0)
    ledger.switch("own")
    clock.now += 1
    with ledger.span("forward"):
        clock.now += 2
    with ledger.span("measuring"):
        clock.now += 4
        with ledger.span("load"):
            clock.now += 20
            with ledger.span("forward"):
                clock.now += 8
            ledger.move(16.0, into="export")
        with ledger.span("forward"):
            clock.now += 32
    clock.now += 64
    found = ledger.end()
    assert found == {"start": 3, "load": 12, "export": 16, "forward": 2, "decode": 0, "measuring": 36, "own": 65}
    assert [*found] == [*KINDS] and sum(found.values()) == clock.now - 97


def test_models_are_loaded_too(clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model itself, and torch eager where L1 compares with it: neither is the suite's own code."""

    def loads(*arguments: object) -> None:
        clock.now += 4

    monkeypatch.setattr(subjects, "load_model", loads)
    monkeypatch.setattr(truth, "eager", loads)
    for kind, name in ((subjects.Subjects, "_load"), (Encoder, "encode")):
        monkeypatch.setattr(kind, name, getattr(kind, name))  # and put back at the end
    ledger = Ledger("own", since=100.0)
    watch(ledger)
    vars(subjects)["load_model"]("scenes-s", "")
    with ledger.span("measuring"):
        truth.eager(None, "fp32")  # type: ignore[arg-type]
    assert ledger.end() == {**dict.fromkeys(KINDS, 0), "load": 8}


def test_other_threads_count_for_nothing() -> None:
    """They run while the main thread waits for them, and that counts."""
    ledger = Ledger("own", since=time.time())

    def work() -> None:
        with ledger.span("forward"):
            time.sleep(0.05)

    thread = threading.Thread(target=ledger.within("decode", work))
    thread.start()
    thread.join()
    found = ledger.end()
    assert found["forward"] == found["decode"] == 0 and found["own"] >= 0.05


def test_the_page() -> None:
    """Shares of a table add up to the whole."""
    found = {"command": "make profile", "tests": 3, "seconds": dict.fromkeys(KINDS, 1.0), "date": "today", "commit": "abc"}
    found |= {"own_seconds": {"test_class": 2.5}}
    text = page(found | {"environment": {"cores": 2, "cpu": "a processor"}})
    assert "3 tests in 7 s, on 2 cores (a processor)" in text and text.count("14.3%") == len(KINDS)


def test_a_run(tiny: list[str], tmp_path: Path) -> None:
    """Its seconds are those that it took, and some of each kind that it has."""
    command = [sys.executable, "-m", "suites.studies.profile", f"--report={tmp_path}/report.json", "--device=cpu"]
    tests = ("-k", "test_form or test_end_to_end or test_encode", "--precision=fp32", "--preprocessor=original_clip")
    started = time.perf_counter()
    done = subprocess.run(
        [*command, *tests, "--backend=torch-eager", "--latency-budget=0.1", "--allow-inconclusive", *tiny],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANG_S,
    )
    took = time.perf_counter() - started
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    rows = [
        line.split("|") for line in done.stdout.splitlines() if line.startswith("| ") and line.split("|")[1].strip() in KINDS
    ]
    seconds = {row[1].strip(): float(row[2]) for row in rows}
    (pytests,) = map(float, re.findall(r" passed.* in ([\d.]+)s", done.stdout))
    assert [*seconds] == [*KINDS] and pytests - 1 < sum(seconds.values()) < took + 1
    assert min(seconds[kind] for kind in ("start", "load", "decode", "measuring")) > 0
