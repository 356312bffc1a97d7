"""Cells that workers compare get the same rows as in one process; what is timed runs when no worker does."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from fixtures import ROOT
from fixtures.storage.lines import Lines
from plugins.parallel import plan
from plugins.parallel.claims import Claims
from plugins.parallel.plan import shares
from suites.selftest.conftest import start
from suites.selftest.patience import HANG_S

CRASHING = ("-p", "suites.selftest.planted.crashing_backends", "--backend=live,crash,torch-eager", "--precision=fp32")
TESTS = ("-k", "test_form or test_direction or test_opaque or test_end_to_end or test_preprocess")
CELLS = ("--preprocessor=original_clip", "--seed=1")
RUN_ALONE = "test_preprocess"


@pytest.fixture(scope="module", params=["1", "2"])
def one(request: pytest.FixtureRequest, both: dict[str, SimpleNamespace]) -> SimpleNamespace:
    """The run with so many workers."""
    return both[request.param]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> dict[str, SimpleNamespace]:
    """Two runs of the same cells, one of which kills its process: without workers, and with two."""
    found = {}
    for workers in ("1", "2"):
        folder = tmp_path_factory.mktemp(f"workers-{workers}")
        looks = ("-p", "suites.selftest.planted.looking_around")
        variables = {"NOTES": str(folder / "notes.jsonl")}
        options = (*CRASHING, *looks, *TESTS, *CELLS, *tiny, f"--workers={workers}", f"--junit-xml={folder}/junit.xml")
        done = start(folder, *options, env=variables, supervised=True)
        report = json.loads((folder / "report.json").read_text())
        found[workers] = SimpleNamespace(done=done, report=report, notes=Lines(folder / "notes.jsonl").read(), folder=folder)
    return found


def test_the_rows_are_the_same(both: dict[str, SimpleNamespace]) -> None:
    """Verdicts, reasons and broken promises equal, figures as near as another number of threads allows; JUnit's tests too."""
    alone, beside = (both[n].report for n in ("1", "2"))
    assert [_judged(row) for row in alone["cells"]] == [_judged(row) for row in beside["cells"]]
    assert alone["model"] == beside["model"]
    for one, two in zip(alone["cells"], beside["cells"], strict=True):
        assert _drift(one) == pytest.approx(_drift(two), abs=1e-9)
    last = [both[n].done.stdout.strip().splitlines()[-1].strip("= ").partition(" in ")[0] for n in ("1", "2")]
    assert last[0] == last[1]


def test_a_crash_costs_its_own_cell(one: SimpleNamespace) -> None:
    """In a worker too, and the screen says so once."""
    rows = {row["backend"]: row for row in one.report["cells"]}
    assert rows["crash"]["verdict"] == "fail" and "the run died of SIGSEGV in" in rows["crash"]["reason"]
    assert rows["live"]["verdict"] != "fail" and rows["torch-eager"]["verdict"] != "fail"
    assert (one.done.stdout + one.done.stderr).count("its cell fails, the others continue") == 1
    assert one.done.returncode == 1


def test_what_is_timed_runs_alone(both: dict[str, SimpleNamespace]) -> None:
    """In the main process, on all cores, when no worker is there; all else in workers, on cores that no other one has."""
    notes, mine = both["2"].notes, sorted(os.sched_getaffinity(0))
    timed = [note for note in notes if note["test"].partition("::")[2].startswith(RUN_ALONE)]
    assert timed and all(note["main"] and not note["workers"] and note["cores"] == mine for note in timed)
    others = [note for note in notes if note not in timed]
    assert others and not any(note["main"] for note in others)
    assert {tuple(note["cores"]) for note in others} <= {tuple(share) for share in shares(2)}  # one may do all
    assert not any(note["main"] for note in both["1"].notes)


def test_the_plan_is_printed(both: dict[str, SimpleNamespace]) -> None:
    """What workers do, and how to do without."""
    assert "plan: 2 parallel workers compare 3 encoders" in both["2"].done.stdout and "--workers=1" in both["2"].done.stdout
    assert "plan:" not in both["1"].done.stdout


def test_workers_die_with_the_run(tmp_path: Path, tiny: list[str]) -> None:
    """SIGKILL leaves the run no time to end them."""
    hang = ("-p", "suites.selftest.planted.crashing_backends", "--backend=hang,live", "-k", "test_form", "--workers=2")
    command = [sys.executable, "-m", "pytest", *hang, *tiny, f"--report={tmp_path}/report.json"]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ends, family = time.monotonic() + HANG_S, list[Any]()
    while len(family) < 5 and time.monotonic() < ends:  # the main process, two workers, and theirs
        time.sleep(0.2)
        family = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert len(family) >= 5 and not psutil.wait_procs(family, timeout=HANG_S)[1]


def test_a_group_has_one_worker(tmp_path: Path) -> None:
    """The first that asks, which may ask again after it was started anew."""
    claims = Claims(tmp_path / "claims")
    assert claims.owner("a") is None
    assert [claims.claim("a", 1), claims.claim("a", 2), claims.claim("a", 1), claims.claim("b", 2)] == [True, False, True, True]
    assert (claims.owner("a"), Claims(tmp_path / "claims").owner("b")) == (1, 2)


def test_cores_are_shared_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, or by turns where there are more workers."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 2, 4, 6, 8})
    assert shares(2) == [[0, 2], [4, 6, 8]]
    assert shares(6) == [[0], [2], [4], [6], [8], [0]]


@pytest.mark.parametrize(
    ("asked", "cores", "gib", "encoders", "number"),
    [
        (None, 2, 64, 28, 1),
        (None, 4, 64, 28, 2),
        (None, 64, 512, 28, 9),
        (None, 16, 9, 28, 2),
        (None, 16, 64, 5, 1),
        (3, 2, 64, 5, 3),
        (3, 2, 64, 2, 2),
        (1, 64, 512, 28, 1),
    ],
)
def test_how_many(asked: int | None, cores: int, gib: int, encoders: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for, up to one an encoder; else two cores, 4 GiB and three encoders for each."""
    monkeypatch.setattr(plan, "cores", lambda: cores)
    monkeypatch.setattr(plan, "group", str)
    monkeypatch.setattr(plan, "subject", lambda item: None)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=gib * plan.GIB))
    config: Any = SimpleNamespace(getoption=lambda name: asked)
    assert plan.number(config, [*range(encoders)]) == number


@pytest.mark.parametrize("said", ["0", "-1", "many", "1.5"])
def test_a_bad_number(said: str, tmp_path: Path) -> None:
    """One sentence."""
    done = start(tmp_path, f"--workers={said}", "suites/embeddings")
    assert f"--workers is '{said}', expected a number from 1 or auto" in done.stdout + done.stderr


def _judged(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row.get(name) for name in ("id", "verdict", "broken_promises", "not_judged", "reasons")}


def _drift(row: dict[str, Any]) -> dict[str, float]:
    return {compared: found["cosine_distance"]["max"] for compared, found in row.get("drift", {}).items()}
