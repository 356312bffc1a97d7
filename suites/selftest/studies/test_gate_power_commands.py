"""The study of real commands plants what it says, in the order it says, never in a baseline, and counts what commands said."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures import ROOT
from fixtures.capability import Array, Encoder, Tower
from fixtures.errors import BadInput
from plugins.latency.limits import limits_in
from suites.selftest.planted.command_trials import record
from suites.studies.gate_power.commands import campaign, commands, gate_subject, outcome, rows, trial
from suites.studies.gate_power.commands.commands import COMMANDS, FIELDS, STORAGE, Compare
from suites.studies.gate_power.commands.journal import Journal
from suites.studies.gate_power.commands.place import PLAIN, SUBJECT, Place
from suites.studies.gate_power.commands.plants import NOTHING, Plant, middle, pause, tail, throttle
from suites.studies.gate_power.commands.rows import ROWS, Trial, chosen, plan
from suites.studies.gate_power.journal import Kept

SETTINGS = {"code": "abc"}
BYTES: dict[Tower, int] = {"image": 64, "text": 128}


class Still(Encoder):
    """Does nothing."""

    def upload(self, batch: Any, tower: Tower) -> object:
        return batch

    def forward(self, batch: object, tower: Tower) -> object:
        return batch

    def download(self, embedding: Any) -> Array:
        return np.zeros((1, 2), np.float32)


def units(plant: Plant, calls: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many units each call of the planted tower does."""
    hashed: list[bytes] = []
    monkeypatch.setattr(hashlib, "sha256", hashed.append)
    encoder, counts = gate_subject.Planted(Still(), plant.of(("text",), BYTES)), []  # type: ignore[arg-type]
    for _ in range(calls):
        before = len(hashed)
        encoder.forward(None, "image")
        assert len(hashed) == before, "the other tower is slower too"
        encoder.forward(None, "text")
        counts.append(len(hashed) - before)
    assert {*hashed} <= {bytes(BYTES["text"])}
    return counts


@pytest.mark.parametrize("percent", [2, 5, 10])
def test_each_call_is_longer(percent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit is a hundredth of the call."""
    assert units(middle(percent), 50, monkeypatch) == [percent] * 50


@pytest.mark.parametrize(("one_in", "times"), [(20, 2), (100, 8)])
def test_one_call_of_so_many_is_slow(one_in: int, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At places that look random, and are the same in each process."""
    found = units(tail(one_in, times), 5 * one_in, monkeypatch)
    at = [i for i, count in enumerate(found) if count]
    assert {*found} == {0, 100 * (times - 1)}
    assert [i // one_in for i in at] == [0, 1, 2, 3, 4]
    assert len({i % one_in for i in at}) > 2
    assert units(tail(one_in, times), 5 * one_in, monkeypatch) == found


def test_calls_are_slow_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first 200 are not."""
    assert units(throttle(200, 10), 250, monkeypatch) == [0] * 200 + [10] * 50


def test_a_call_after_a_pause_is_slow() -> None:
    """Of so many milliseconds."""
    (what,) = pause(20, 2).of(("image",), BYTES).values()
    slowdown = gate_subject.Slowdown(**what)
    assert [slowdown.due(idle_ms) for idle_ms in (1.0, 20.0, 19.9)] == [False, True, False]
    assert slowdown.units == 100


def test_nothing_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No slowdown at all, which would ask the clock."""
    assert NOTHING.of(("image",), BYTES) == {} and units(NOTHING, 3, monkeypatch) == [0] * 3


def test_only_the_working_tree_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HEAD has nothing planted, and neither has a tree whose trial is over; a variable is stronger than the file."""
    place, text = Place(tmp_path), middle(5).text(("text",), BYTES)
    place.plant(text)
    found: dict[str, Any] = {}
    exec((tmp_path / SUBJECT).read_text(), found)
    assert found["planted"]() == {"text": {"kind": "middle", "value": 0, "units": 5, "unit_bytes": 128}}
    monkeypatch.setenv("GATE_PLANTED", "{}")
    assert found["planted"]() == {}
    git = ["git", "-C", str(tmp_path)]
    assert 'PLANTED = "{}"' in subprocess.check_output([*git, "show", f"HEAD:{SUBJECT}"], text=True)
    Place(tmp_path)  # the next command, after one that was killed
    assert subprocess.check_output([*git, "diff", "HEAD"], text=True) == ""


def test_a_folder_of_limits(tmp_path: Path) -> None:
    """Allows what it should, leaves the rest as it is, and has the golden data."""
    folder = Place(tmp_path).limits(0.02, ROOT / "golden")
    own, usual = limits_in(folder), limits_in(ROOT / "golden")
    assert own.slowdown == 0.02 and own.cells == usual.cells and own.between_runs == usual.between_runs
    assert (folder / "scenes-s" / "manifest.json").is_file()


def test_the_plan_is_whole_and_in_random_order() -> None:
    """Each row so many times, each round in another order; a part has the order of the whole."""
    assert len({row.id for row in ROWS}) == len(ROWS)
    trials = list(plan(ROWS, 3, 7))
    rounds = [trials[i : i + len(ROWS)] for i in range(0, len(trials), len(ROWS))]
    assert all({each.row for each in one} == {*ROWS} for one in rounds)
    orders = [[each.row for each in one] for one in (*rounds, [Trial(row, 0) for row in ROWS])]
    assert all(a != b for i, a in enumerate(orders) for b in orders[:i])
    assert list(plan(ROWS, 2, 7)) == trials[: 2 * len(ROWS)]
    part = chosen(["compare*/neighbour/*", "selection*"])
    assert list(plan(part, 3, 7)) == [each for each in trials if each.row in part]
    assert [Trial(ROWS[0], repeat).towers for repeat in range(3)] == [("image",), ("text",), ("image",)]
    assert len(chosen(rows.QUICK)) == len(rows.QUICK)


def test_an_interrupted_campaign_goes_on(tmp_path: Path) -> None:
    """In its order, without the line that a kill cut off; and begins nothing when its time is over."""
    path, wanted = tmp_path / "journal.jsonl", list(plan(chosen(["against/*/torch/*"]), 2, 0))
    ran: list[Trial] = []

    def runner(each: Trial) -> dict[str, Any]:
        if len(ran) == 5:
            raise KeyboardInterrupt
        ran.append(each)
        return record(each)

    with pytest.raises(KeyboardInterrupt):
        campaign.trials(Journal(path, SETTINGS), wanted, float("inf"), runner)
    path.write_text(path.read_text()[:-9])
    again: list[Trial] = []
    journal = Journal(path, SETTINGS)

    def counted(each: Trial) -> dict[str, Any]:
        again.append(each)
        return record(each)

    campaign.trials(journal, wanted, 0.0, counted)
    assert again == [], "its time is over"
    campaign.trials(journal, wanted, float("inf"), counted)
    assert ran[:4] + again == wanted and len(journal.records) == len(wanted)


def written(folder: Path, broken: dict[str, str]) -> None:
    """What a run of the suite leaves: a failure for each tower that `broken` has, with its message."""
    cases = "".join(
        f'<testcase name="test_it[scenes-s-a-fp32-cpu-{tower}]">'
        + (f'<failure message="Failed: {broken[tower]}"/>' if tower in broken else "")
        + "</testcase>"
        for tower in BYTES
    )
    (folder / outcome.JUNIT).write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    change = {"ratio": 1.1, "low": 1.0, "high": 1.2}
    latency = {tower: {"ratio": 0.5, "change": change, "would_have_seen": 0.04, "tails": []} for tower in BYTES}
    (folder / outcome.REPORT).write_text(json.dumps({"cells": [{"id": "a", "latency_ratio": latency}]}))


@pytest.mark.parametrize(
    ("code", "broken", "verdict", "alarms"),
    [
        (0, {}, outcome.PASS, []),
        (8, {}, outcome.INCONCLUSIVE, []),
        (1, {"text": "L4 broken: slower"}, outcome.ALARM, ["text"]),
        (1, {"text": "L4 broken: slower", "image": "E6 broken: other bits"}, outcome.ALARM, ["text"]),
        (1, {"image": "the worker crashed"}, outcome.OTHER, []),
    ],
)
def test_what_a_run_says(tmp_path: Path, code: int, broken: dict[str, str], verdict: str, alarms: list[str]) -> None:
    """By its exit code and the promise that JUnit has as broken."""
    written(tmp_path, broken)
    found = outcome.ours("L4", code, "", tmp_path)
    assert (found["verdict"], found["alarms"]) == (verdict, alarms)
    others = [f"Failed: {says}" for says in broken.values() if "L4" not in says]
    assert [*found.get("others", {}).values()] == others
    assert found["figures"]["a text"] == {
        "tower": "text",
        "ratio": 1.1,
        "low": 1.0,
        "high": 1.2,
        "would_have_seen": 0.04,
        "slow_calls": False,
    }
    assert outcome.counts_as(found, ("text",)) is outcome.counts_as(found, ()) is (verdict == outcome.ALARM)
    assert not outcome.counts_as(found, ("image",))


def test_the_figures_of_two_sides(tmp_path: Path) -> None:
    """Are read like those of a history."""
    found = {"ratio": 1.1, "interval": [1.0, 1.2], "would_have_seen": 0.04, "tails": [{"fails": True}]}
    (tmp_path / outcome.REPORT).write_text(json.dumps({"cells": [{"id": "a", "against": {"latency": {"image": found}}}]}))
    read = outcome.figures(tmp_path)["a image"]
    assert (read["ratio"], read["low"], read["high"], read["slow_calls"]) == (1.1, 1.0, 1.2, True)


def test_pytest_benchmark_alone(tmp_path: Path) -> None:
    """Each field has its own verdict, by what is printed; an exit code without a regression is none."""
    (tmp_path / "machine").mkdir()
    for number, seconds in enumerate((1.0, 1.5)):
        stats = {"params": {"tower": "image"}, "stats": dict.fromkeys(FIELDS, seconds)}
        (tmp_path / "machine" / f"000{number}_a.json").write_text(json.dumps({"benchmarks": [stats]}))
    said = "\ttest_encode[image] (0001_a) - Field 'min' has failed PercentageRegressionCheck: 50.0 > 5.0"
    found = outcome.alone(FIELDS, 1, said, tmp_path)
    assert {field: each["verdict"] for field, each in found.items()} == {"mean": "pass", "median": "pass", "min": "alarm"}
    assert found["min"]["alarms"] == ["image"] and found["mean"]["figures"]["image"]["ratio"] == 1.5
    with pytest.raises(outcome.Unexpected, match="it ended with 1, expected a run that compares"):
        outcome.alone(FIELDS, 1, "1 failed", tmp_path)


def test_each_field_decides_in_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real runs of pytest-benchmark alone, over a sleep that takes twice as long where something is planted."""
    monkeypatch.setattr(commands, "ALONE_S", 0.05)
    place, (row,) = Place(tmp_path), chosen(["pytest-benchmark alone/idle/torch/10 %"])
    sleeps = "import os, time, pytest\n@pytest.mark.parametrize('tower', ['image'])\ndef test_encode(benchmark, tower):\n"
    call = "    benchmark(time.sleep, 0.003 if os.environ['GATE_PLANTED'] == '{}' else 0.006)\n"
    (tmp_path / PLAIN).write_text(sleeps + call)
    found = trial.run(Trial(row, 0), place, BYTES, Silent())  # type: ignore[arg-type]
    assert found["exit"] != 0 and found["alarm"] == {"mean:5%": True, "median:5%": True, "min:5%": True}


def test_a_run_that_left_no_report(tmp_path: Path) -> None:
    """Is trouble, whatever its exit code; the files of an earlier one do not stand for it."""
    place = Place(tmp_path)
    written(tmp_path, {})
    code, said = place.run([sys.executable, "-c", "print('no room')"])
    with pytest.raises(outcome.Unexpected, match=r"junit.xml.*, expected a run that compares[\s\S]*no room"):
        outcome.ours("L4", code, said, tmp_path)


class Played(Place):
    """Commands store a run, and end as they are told."""

    code, broken = 0, dict[str, str]()

    def run(self, command: Sequence[str], **variables: str) -> tuple[int, str]:
        """Plays only pytest."""
        if command[0] == "git":
            return super().run(command)
        stored = self.folder / STORAGE / "machine"
        stored.mkdir(parents=True, exist_ok=True)
        (stored / f"{len([*stored.iterdir()]):04}_{variables['GATE_PLANTED'] != '{}'}.json").touch()
        written(self.folder, self.broken)
        return self.code, "no such model"


class Silent:
    """A neighbour."""

    def on(self) -> None:
        """Begins."""

    def off(self) -> float:
        """Ends."""
        return 1.5


def played(place: Played, plant: str) -> dict[str, Any]:
    """One trial."""
    (row,) = chosen([f"compare/neighbour/torch/{plant}"])
    return trial.run(Trial(row, 0), place, BYTES, Silent())  # type: ignore[arg-type]


def test_a_planted_run_is_never_a_baseline(tmp_path: Path) -> None:
    """Neither is one of equal code that raised an alarm. One that passed is."""
    place, compare = Played(tmp_path), COMMANDS[rows.COMPARE]
    assert isinstance(compare, Compare)
    kept = compare.kept("torch", place) / "machine"
    found = played(place, "10 %")
    assert [path.name for path in kept.iterdir()] == ["0000_False.json"]
    assert found["planted_in"] == ["image"] and found["verdicts"]["compare"]["verdict"] == "pass"
    assert found["neighbour_cores"] > 0 and found["alarm"] == {"compare": False}
    played(place, "nothing")
    place.code, place.broken = 1, {"text": "L4 broken: slower"}
    assert played(place, "nothing")["alarm"] == {"compare": True}
    assert played(place, "10 %")["alarm"] == {"compare": False}, "it is the other tower that is slow"
    assert sorted(path.name for path in kept.iterdir()) == ["0000_False.json", "0001_False.json"]
    assert not (tmp_path / STORAGE).exists()


@pytest.mark.parametrize("code", [2, 3, 4, 5, -9])
def test_an_unexpected_exit_code(tmp_path: Path, code: int) -> None:
    """One sentence with the trial's name and the last of what was printed."""
    place = Played(tmp_path)
    played(place, "nothing")
    place.code = code
    with pytest.raises(outcome.Unexpected) as found:
        played(place, "10 %")
    first, *last = str(found.value).splitlines()
    wanted = "a run that compares and ends with 0, 1 or 8; its last lines:"
    assert first == f"compare/neighbour/torch/10 %, number 0: it ended with {code}, expected {wanted}"
    assert last == ["no such model"]


def test_journals_of_two_codes_do_not_mix(tmp_path: Path) -> None:
    """As in the other study; but a page that a campaign writes is no code."""
    Journal(tmp_path / "journal.jsonl", SETTINGS)
    with pytest.raises(BadInput, match="begun with another code"):
        Kept(tmp_path / "journal.jsonl", {"code": "def"})
