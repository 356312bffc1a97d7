"""A CUDA device that is lost to a process costs the cell that lost it; the device here is played."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plugins.supervision.journal import Journal, settled
from suites.selftest.conftest import start
from suites.selftest.planted.lost_devices import SAYS

CELLS = ("-p", "suites.selftest.planted.lost_devices", "--backend=first,second", "--device=cuda")
FORM = "suites/embeddings/test_encoder.py::test_form"


def rows(folder: Path) -> dict[str, Any]:
    """By backend."""
    return {row["backend"]: row for row in json.loads((folder / "report.json").read_text())["cells"]}


def test_a_fresh_process_takes_over(tmp_path: Path, tiny: list[str]) -> None:
    """The cell keeps its own failure, its other tests say what happened, the next cell passes."""
    done = start(tmp_path, *CELLS, FORM, *tiny, supervised=True)
    found = rows(tmp_path)
    assert found["first"]["verdict"] == "fail" and SAYS in done.stdout, done.stdout
    assert found["second"]["verdict"] == "pass"
    assert done.stderr.count("continue in a fresh process") == 1 and done.returncode == 1
    assert done.stdout.count(f"the CUDA device was lost in {FORM}[tiny:clip@random:0-first-fp32-cuda-image] ({SAYS})") > 0


def test_a_device_that_stays_lost_ends_it(tmp_path: Path, tiny: list[str]) -> None:
    """One fresh process, which asks once; what is left is skipped with the reason."""
    done = start(tmp_path, *CELLS, FORM, *tiny, env={"STAYS": str(tmp_path / "broken")}, supervised=True)
    found = rows(tmp_path)
    assert [found[name]["verdict"] for name in ("first", "second")] == ["fail", "skipped"], done.stdout
    assert "it stays lost in a fresh process" in found["second"]["reason"] and done.returncode == 1
    assert done.stderr.count("continue in a fresh process") == 1


def test_without_a_supervisor_later_cells_are_skipped(tmp_path: Path, tiny: list[str]) -> None:
    """They say which test lost the device, and what to do."""
    done = start(tmp_path, *CELLS, FORM, *tiny)
    found = rows(tmp_path)
    assert [found[name]["verdict"] for name in ("first", "second")] == ["fail", "skipped"], done.stdout
    assert "first-fp32-cuda" in found["second"]["reason"] and "without --unsupervised" in found["second"]["reason"]


@pytest.mark.parametrize(
    ("test", "about", "again"),
    [("lost-it", "a", False), ("passed-before", "a", True), ("never-ran", "a", False), ("another", "b", True)],
)
def test_what_runs_in_the_fresh_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, test: str, about: str, again: bool
) -> None:
    """Of tests that measure latency, which run again after a crash: not the one that lost the device, or it would not end."""
    journal = Journal(tmp_path / "journal.jsonl")
    for name in ("passed-before", "lost-it"):
        journal.append(end=name)
    journal.append(blame="it was lost", lost=True, test="lost-it", about=("a", ""))
    monkeypatch.setattr("plugins.supervision.journal.names_of", lambda item: (item.about, ""))
    config = SimpleNamespace(getoption=lambda name: False)
    item: Any = SimpleNamespace(nodeid=test, about=about, fixturenames=["benchmark"], config=config)
    assert settled(item, journal) is not again
    assert bool(journal.blocked_by(item)) is (test == "never-ran")
