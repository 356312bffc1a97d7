"""A backend that crashes, hangs or eats memory costs its own cell; no process outlives the run."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import psutil
import pytest

from fixtures import ROOT
from plugins.supervision.journal import Journal
from suites.selftest.conftest import start
from suites.selftest.patience import HANG_S, patience
from suites.selftest.planted.crashing_backends import WAYS

PLUGIN = ("-p", "suites.selftest.planted.crashing_backends", "suites/embeddings/test_encoder.py::test_form")


@pytest.fixture(scope="module")
def all_ways(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> SimpleNamespace:
    """One run that dies three times."""
    folder = tmp_path_factory.mktemp("deadly")
    limits = (f"--test-limit={patience(15)}", "--memory-limit=4", f"--junit-xml={folder}/junit.xml")
    done = start(folder, *PLUGIN, *limits, *tiny, "--backend", ",".join(WAYS), supervised=True)
    rows = json.loads((folder / "report.json").read_text())["cells"]
    cases = ElementTree.parse(folder / "junit.xml").getroot().iter("testcase")
    return SimpleNamespace(done=done, rows={row["backend"]: row for row in rows}, cases=list(cases))


@pytest.mark.parametrize(
    ("way", "sentence"),
    [("crash", "the run died of SIGSEGV in"), ("hang", "the run hung for "), ("eat", "GiB, 4.0 are allowed")],
)
def test_it_costs_its_own_cell(all_ways: SimpleNamespace, way: str, sentence: str) -> None:
    """In the report and on the screen, with what happened in one sentence."""
    assert all_ways.rows[way]["verdict"] == "fail"
    assert sentence in all_ways.rows[way]["reason"] and sentence in all_ways.done.stdout


def test_the_others_go_on(all_ways: SimpleNamespace) -> None:
    """The good cell passes, everything is in JUnit once, and the run fails."""
    assert all_ways.rows["live"]["verdict"] == "pass"
    failed = [case.get("name") for case in all_ways.cases if case.find("failure") is not None]
    assert len(all_ways.cases) == 2 * len(WAYS) and len(failed) == 2 * (len(WAYS) - 1)
    assert all_ways.done.returncode == 1


def test_the_child_dies_with_its_supervisor(tmp_path: Path, tiny: list[str]) -> None:
    """SIGKILL leaves the supervisor no time to say goodbye."""
    command = [sys.executable, "-m", "pytest", *PLUGIN, *tiny, "--backend=hang", f"--report={tmp_path}/report.json"]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    family = _until(lambda: psutil.Process(run.pid).children(recursive=True))
    time.sleep(3)  # until it hangs; a child that is still starting must die as well
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not psutil.wait_procs(family, timeout=HANG_S)[1]


def test_it_can_be_left_out(tmp_path: Path, tiny: list[str]) -> None:
    """--unsupervised runs in the process that was started."""
    done = start(tmp_path, *PLUGIN, *tiny, "--backend=crash", "--unsupervised", supervised=True)
    assert done.returncode == -signal.SIGSEGV


ENCODER, OTHER = "m-a-fp32-cpu", "m-b-fp32-cpu"


@pytest.mark.parametrize(
    ("blamed", "blocked", "free"),
    [
        ([(ENCODER, "")], [(ENCODER, ""), (ENCODER, "p"), (ENCODER, "q")], [(OTHER, ""), (OTHER, "p"), ("", "p")]),
        ([("", "p")], [("", "p"), (ENCODER, "p"), (OTHER, "p")], [(ENCODER, "q"), (ENCODER, "")]),
        ([(ENCODER, "p")], [(ENCODER, "p")], [(ENCODER, "q"), (ENCODER, ""), (OTHER, "p"), ("", "p")]),
        ([(ENCODER, "p"), (ENCODER, "q")], [(ENCODER, "r"), (ENCODER, "")], [(OTHER, "p"), ("", "q")]),
        ([("", "")], [], [(ENCODER, "p"), ("", "p"), (ENCODER, ""), ("", "")]),
    ],
)
def test_who_is_to_blame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blamed: Any, blocked: Any, free: Any) -> None:
    """An encoder or a preprocessor by itself; in one cell only the cell; in two cells what they share."""
    journal = Journal(tmp_path / "journal.jsonl")
    for number, about in enumerate(blamed):
        journal.append(blame="it died", test=f"test_{number}", about=about)
    monkeypatch.setattr("plugins.supervision.journal.names_of", lambda item: item.about)
    found = {about: bool(journal.blocked_by(SimpleNamespace(nodeid="another", about=about))) for about in (*blocked, *free)}  # type: ignore[arg-type]
    assert found == {**dict.fromkeys(blocked, True), **dict.fromkeys(free, False)}


def _until(found: Any) -> Any:
    ends = time.monotonic() + HANG_S
    while not (answer := found()):
        assert time.monotonic() < ends
        time.sleep(0.2)
    return answer
