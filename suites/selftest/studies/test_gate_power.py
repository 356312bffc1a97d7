"""The gate's benchmark tells the truth: plants are exact, rates are right, a run resumes, the neighbour ends with it."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fixtures import ROOT
from fixtures.errors import BadInput
from suites.selftest.patience import HANG_S
from suites.studies.gate_power import __main__ as command
from suites.studies.gate_power import campaign, page, peer, rates
from suites.studies.gate_power.cell import UNITS, cell, units
from suites.studies.gate_power.journal import Journal
from suites.studies.gate_power.neighbour import Neighbour
from suites.studies.gate_power.plot import STYLE
from suites.studies.gate_power.trial import METHODS, PERCENTS, Trial, plan

SETTINGS = {"seconds": 0.01, "commit": "abc", "spans": (0.1, 0.2)}


def record(trial: Trial, alarm: bool = False) -> dict[str, Any]:
    """A trial's line without the trial."""
    gate = {"alarm": alarm, "ratio": 1.0, "verdict": "fail" if alarm else "pass", "spent_s": 0.5}
    load = {"neighbour_cores": 1.5, "others_cores": 0.1}
    return {**vars(trial), "methods": dict.fromkeys(METHODS, gate), **load}


@pytest.mark.parametrize("percent", PERCENTS)
def test_a_slowdown_is_exactly_that_many_units(percent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """10 % is 110 units where 100 are none, and the call does so many."""
    hashed: list[bytes] = []
    monkeypatch.setattr(hashlib, "sha256", hashed.append)
    cell(units(percent), 64)()
    assert len(hashed) * 100 == UNITS * (100 + percent)
    assert set(hashed) == {bytes(64)}


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    """What is measured is not measured again, a line that a kill cut off is, and the order is the same."""
    path = tmp_path / "journal.jsonl"
    ran: list[Trial] = []
    again: list[Trial] = []

    def runner(trial: Trial, journal: Journal) -> dict[str, Any]:
        if len(ran) == 7:
            raise KeyboardInterrupt
        ran.append(trial)
        return record(trial)

    with pytest.raises(KeyboardInterrupt):
        campaign.trials(Journal(path, SETTINGS), 2, 3, runner)
    path.write_text(path.read_text()[:-9])

    def counted(trial: Trial, journal: Journal) -> dict[str, Any]:
        again.append(trial)
        return record(trial)

    journal = Journal(path, SETTINGS)
    campaign.trials(journal, 2, 3, counted)
    assert ran[:6] + again == list(plan(2, 3))
    assert len(journal.records) == len(Journal(path, SETTINGS).records) == 2 * 2 * len(PERCENTS)


def test_figures_of_two_kinds_do_not_mix(tmp_path: Path) -> None:
    """A journal of another commit is refused, and kept."""
    Journal(tmp_path / "journal.jsonl", SETTINGS).append({"unit_bytes": 64})
    with pytest.raises(BadInput, match="begun with another commit, expected"):
        Journal(tmp_path / "journal.jsonl", {**SETTINGS, "commit": "def"})
    assert Journal(tmp_path / "journal.jsonl", SETTINGS).named("unit_bytes") == 64


def test_rates_and_their_intervals() -> None:
    """Counted by hand; the interval of no alarm in a hundred is that of Clopper and Pearson."""
    none = [record(Trial("neighbour", 0, i)) for i in range(100)]
    some = [record(Trial("neighbour", 1, i), alarm=i < 79) for i in range(100)]
    rows = rates.rates(none + some)
    assert len(rows) == 2 * len(METHODS)
    clean, slow = (next(r for r in rows if r["percent"] == p and r["method"] == "gate") for p in (0, 1))
    assert (clean["alarms"], clean["rate"], clean["low"]) == (0, 0.0, 0.0)
    assert clean["high"] == pytest.approx(1 - 0.025 ** (1 / 100))
    assert (slow["rate"], slow["pass"], slow["inconclusive"], slow["median_s"]) == (0.79, 21, 0, 0.5)
    reached = [goal["reached"] for goal in rates.goals(rows, {"processor": {"ratio": 1.01}})]
    assert reached == [True, False, True]  # no false alarm; 79 of 100 at 1 %, where 80 are asked for; overhead
    assert rates.loads(none) == {"neighbour": {"neighbour_cores": pytest.approx(1.5), "others_cores": pytest.approx(0.1)}}


def test_the_neighbour_makes_noise_only_when_asked() -> None:
    """Its processor time says so, however long it waits for a processor."""
    with Neighbour(0) as neighbour:
        noisy, until = 0.0, time.monotonic() + HANG_S
        while noisy < 0.2:
            assert time.monotonic() < until, "it makes no noise"
            neighbour.on()
            time.sleep(0.2)
            noisy += neighbour.off()
        neighbour.off()
        time.sleep(0.5)
        silent = neighbour.off()
    assert silent < 0.05
    assert neighbour.process.poll() is not None


def test_the_neighbour_dies_with_a_parent_that_is_killed() -> None:
    """SIGKILL runs no clean-up; the standard error that both of them hold closes only when both are gone."""
    program = (
        "import time; from suites.studies.gate_power.neighbour import Neighbour; n = Neighbour(0); n.on(); "
        "print(n.process.poll(), flush=True); time.sleep(60)"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as parent:
        assert parent.stdout
        assert parent.stdout.readline().strip() == "None"  # it has answered and runs
        parent.kill()
        _, said = parent.communicate(timeout=HANG_S)
    assert said == ""


def test_the_peer_decides_as_a_real_run_does(tmp_path: Path) -> None:
    """Two real runs of pytest-benchmark: its exit code for a field is what peer.alarms() says of the files it saved."""
    (tmp_path / "test_it.py").write_text(
        "import os, time\ndef test_it(benchmark):\n    benchmark(time.sleep, float(os.environ['SLEEP_S']))\n"
    )

    def pytest_run(seconds: float, name: str, *args: str) -> tuple[int, dict[str, float]]:
        options = ["-q", "-p", "no:cacheprovider", "--benchmark-max-time=0.05", f"--benchmark-json={name}.json", *args]
        environment = {**os.environ, "SLEEP_S": str(seconds), "PYTEST_ADDOPTS": ""}
        ran = subprocess.run([sys.executable, "-m", "pytest", *options], cwd=tmp_path, env=environment, capture_output=True)
        return ran.returncode, json.loads((tmp_path / f"{name}.json").read_text())["benchmarks"][0]["stats"]

    _, before = pytest_run(0.003, "before", "--benchmark-save=before")
    for name, seconds in (("slow", 0.006), ("fast", 0.001)):
        code, now = pytest_run(seconds, name, "--benchmark-compare=0001", "--benchmark-compare-fail=min:5%")
        assert peer.alarms(now, before)["min:5%"] is (code != 0) is (name == "slow")


def test_the_table_has_its_place(tmp_path: Path) -> None:
    """Twice written is once written; a page without the marks is refused."""
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    for _ in range(2):
        page.fill(readme, "new\n")
        assert readme.read_text() == f"before\n{page.BEGIN}\n{page.PICTURE}\n\nnew\n{page.END}\nafter\n"
    readme.write_text("no marks")
    with pytest.raises(ValueError, match="add the two lines"):
        page.fill(readme, "new\n")


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The whole command, with a tiny cell and a cache of its own."""
    monkeypatch.setattr(command, "CACHE", tmp_path)
    monkeypatch.setattr(campaign, "bytes_of_a_unit", lambda: 64)
    monkeypatch.setattr(campaign, "CALIBRATION_S", 0.05)
    return lambda *args: command.main(["--trials", "1", "--seconds", "0.02", *args])


def test_a_short_look_makes_no_evidence(quick: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it runs, into the cache; the second run measures nothing, and no committed file changes."""
    kept = [ROOT / "docs" / "how-good-is-the-gate.md", *sorted((ROOT / "golden" / "evidence").glob("gate-power.*"))]
    before = [path.read_bytes() for path in kept]
    assert quick() in (0, 1)
    first = json.loads((tmp_path / "gate-power" / "gate-power.json").read_text())
    assert quick() in (0, 1)
    second = json.loads((tmp_path / "gate-power" / "gate-power.json").read_text())
    assert [path.read_bytes() for path in kept] == before
    assert first | {"date": ""} == second | {"date": ""}
    assert len(first["rates"]) == 2 * len(PERCENTS) * len(METHODS)
    assert [found["percent"] for found in first["calibration"]] == [1, 2, 5, 10]
    printed = capsys.readouterr().out
    assert len(re.findall(r"^\| (?:idle|neighbour) \|", printed, re.MULTILINE)) == 2 * 2 * len(PERCENTS)


def test_the_plot_shows_every_method(quick: Callable[..., int], tmp_path: Path) -> None:
    """An SVG with two panels, and every method in both."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install matplotlib (it is in the dev group)")
    quick()
    drawn = (tmp_path / "gate-power" / "gate-power.svg").read_text()
    assert drawn.count('id="axes_') == 2
    assert all(drawn.count(colour) >= 2 for _, colour, _, _ in STYLE.values())
