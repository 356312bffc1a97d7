"""The ranges of pyproject.toml are those that were tried, and the program that tries them says what came of it."""

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fixtures import ROOT
from suites.studies.versions_tried import __main__ as program
from suites.studies.versions_tried import checks, page, trial
from suites.studies.versions_tried.combinations import COLUMNS, combinations

EVIDENCE = ROOT / "golden" / "evidence" / "versions.json"
GOOD = {"exit": 0, "seconds": 1, "passed": 3}


def numbers(version: str) -> tuple[int, ...]:
    """ "2.11.0" to (2, 11, 0)."""
    return tuple(map(int, version.split(".")))


def ranges() -> dict[str, list[tuple[str, str]]]:
    """By distribution: [(">=", "2.11"), ("<", "2.16")] of what an environment here gets."""
    lines = [line for line in trial.requirements() if ">=" in line]
    return {re.split(r"[<>=]", line)[0]: re.findall(r"([<>=]+)([\d.]+)", line) for line in lines}


@pytest.fixture
def evidence() -> list[dict[str, Any]]:
    """The committed rows of what was tried and failed in nothing; an interrupted trial counts for what it has seen."""
    tried = [row for row in json.loads(EVIDENCE.read_text())["rows"] if "checks" in row]
    return [row for row in tried if not any(check["exit"] for check in row["checks"].values())]


def test_every_range_begins_where_it_was_tried(evidence: list[dict[str, Any]]) -> None:
    """The lowest version that works in some environment is the lowest that is allowed, and the highest is allowed."""
    mine = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for name, limits in ranges().items():
        if not any(line.startswith(name) for line in [*mine, *COLUMNS]):
            continue
        key = re.sub(r"[-_.]+", "-", name).lower()
        tried = sorted(numbers(row["packages"][key]) for row in evidence)
        for sign, limit in limits:
            least = numbers(limit)
            assert tried[0][: len(least)] == least if sign == ">=" else tried[-1][: len(least)] < least, (name, limit, tried)


def test_every_minor_of_torch_and_python_is_tried(evidence: list[dict[str, Any]]) -> None:
    """In one combination at least that fails in nothing; the page is what the figures say."""
    assert {numbers(row["packages"]["torch"])[:2] for row in evidence} == {(2, minor) for minor in range(11, 16)}
    assert {row["python"] for row in evidence} == {"3.11", "3.12", "3.13"}
    assert EVIDENCE.with_suffix(".md").read_text() == page.markdown(json.loads(EVIDENCE.read_text()))


def test_combinations_are_named_apart() -> None:
    """A name is an id in the evidence."""
    names = [one.name for one in combinations()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("...\n3 passed, 1 xfailed in 2.00s\n", {"passed": 3, "xfailed": 1}),
        ("=== 1 failed, 2 passed, 3 warnings in 62.10s (0:01:02) ===", {"failed": 1, "passed": 2, "warnings": 3}),
        ("2022 tests collected in 1.58s", {"collected": 2022}),
        ("killed", {}),
    ],
)
def test_counts(said: str, found: dict[str, int]) -> None:
    """As pytest's last line has them."""
    assert checks.counts(said) == found


def test_no_path_of_the_machine_is_written(tmp_path: Path) -> None:
    """Neither of an environment nor of the index that pip asked; a test's id stays."""
    said = f"ERROR: {tmp_path}/venv/x, {ROOT}/suites/y.py::test_z, https://index.example/simple and /home/me/.cache/thing"
    assert checks.scrubbed(said, tmp_path) == "ERROR: …/venv/x, ./suites/y.py::test_z, … and …"


def test_an_interpreter_that_is_absent_or_another(tmp_path: Path) -> None:
    """This one for its own version; nothing for a path that runs another version, or none."""
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert trial.interpreter(here, {}) == Path(sys.executable)
    assert trial.interpreter("3.99", {}) is None
    assert trial.interpreter("3.99", {"3.99": sys.executable}) is None
    one = next(iter(combinations()))
    assert "install it, or name it with --python 3.12=PATH" in next(trial.trial(one, None, tmp_path, {}))["reason"]


def test_versions_that_do_not_exist_are_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence of pip's, and the folder is gone."""
    monkeypatch.setattr(trial, "requirements", lambda: ["pytest<0.1"])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (found,) = trial.trial(next(iter(combinations())), Path(sys.executable), tmp_path / "new", {})
    assert found["reason"].startswith("pip failed: ERROR: ") and "pytest<0.1" in found["reason"]
    assert not (tmp_path / "new").exists()


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was checked at this commit is not checked again; a failure is named, and makes the exit code 1."""
    asked: list[str] = []

    def run(check: checks.Check, python: Path, folder: Path) -> dict[str, Any]:
        asked.append(f"{folder.name} {check.name}")
        if len(asked) == 8:
            raise KeyboardInterrupt
        bad = {"exit": 1, "seconds": 1, "failed": 1, "failures": ["FAILED x - y"]}
        return bad if "2.12.1" in folder.name and check.name == "collection" else GOOD

    monkeypatch.setattr(trial, "run", run)
    monkeypatch.setattr(trial, "install", lambda one, python, folder: Path(sys.executable))
    monkeypatch.setattr(program, "interpreter", lambda version, named: Path(sys.executable))
    monkeypatch.setattr(program, "PLACE", tmp_path / "place")
    monkeypatch.setattr(program, "TARGET", tmp_path / "versions.json")
    assert program.main([]) == 130
    assert program.main([]) == 1
    names = [check.name for check in checks.checks(tmp_path)]
    assert asked[:7] + asked[8:] == [f"{one.name} {name}" for one in combinations() for name in names]
    written = (tmp_path / "versions.md").read_text()
    assert "PROBLEM: python3.13-torch2.12.1: collection: FAILED x - y" in written and "interrupted" not in written
    assert not list((tmp_path / "place").glob("python*"))
    assert program.main(["--only", "torch1"]) == 4
