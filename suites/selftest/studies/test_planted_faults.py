"""Every planted fault, in the weakest strength that must be caught, on a small data set; `make faults` tries them all."""

import subprocess
from pathlib import Path

import pytest

from suites.selftest import forked
from suites.studies.faults import campaign, page, runs
from suites.studies.faults.page import Row
from suites.studies.faults.runs import SESSIONS
from suites.studies.faults.table import NUMBERS, PLANTED

CLASSES = 36  # of the specification
TIMED = (
    6,
    10,
    11,
)  # their sessions need a machine that is not full of other tests: test_latency_gate and test_slower_precisions


def inner(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """As suites.studies.faults.runs starts one, without a supervisor."""
    return forked.run([f"--report={folder}/report.json", *arguments], {**environment, "COLUMNS": "250"})


@pytest.fixture(scope="module")
def rows(few: list[str]) -> dict[tuple[str, str], Row]:
    """By fault and strength."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "inner", inner)
        found = list(campaign.planted("", few, weakest=True))
        for session in (session for session in SESSIONS if session.number not in TIMED):
            found += campaign.sessions(f"{session.number:02d}.{session.name}")
    return {(row["fault"], row["strength"]): row for row in found}


def test_every_class_is_planted() -> None:
    """None of the specification's is forgotten."""
    assert set(range(1, CLASSES + 1)) == NUMBERS


@pytest.mark.long
@pytest.mark.parametrize(
    "fault", [fault for fault in PLANTED if fault.number], ids=lambda fault: f"{fault.number:02d}-{fault.name}"
)
def test_planted(rows: dict[tuple[str, str], Row], fault: object) -> None:
    """Caught by the promise that is meant to, with a message that has a number or an input in it."""
    ((strength, _),) = fault.names(weakest=True).values()  # type: ignore[attr-defined]
    row = rows[fault.name, strength]  # type: ignore[attr-defined]
    assert row["caught"], f"{strength}: expected {row['meant']}, found {row['broken'] or 'nothing'}"
    assert len(row["says"]) > 20


@pytest.mark.long
@pytest.mark.parametrize("session", [s for s in SESSIONS if s.number not in TIMED], ids=lambda s: f"{s.number:02d}-{s.name}")
def test_session(rows: dict[tuple[str, str], Row], session: object) -> None:
    """The run as a whole notices, and says what."""
    for strength in session.strengths:  # type: ignore[attr-defined]
        row = rows[session.name, strength]  # type: ignore[attr-defined]
        assert row["caught"] and row["says"], row


@pytest.mark.long
def test_nothing_planted_passes(rows: dict[tuple[str, str], Row]) -> None:
    """The same wrappers without a fault break no promise."""
    clean = [row for row in rows.values() if not row["number"]]
    assert len(clean) == 2 and not any(row["broken"] for row in clean)


def test_a_missed_fault_is_a_problem() -> None:
    """The table cannot look good by missing something."""
    row = {"number": 1, "fault": "f", "strength": "s", "must": True, "meant": ["E2"], "caught": False, "broken": [], "says": ""}
    assert page.problems([row]) == ["01 f, s: not caught by E2"]
    assert page.verdict([row]).startswith("0 of 1 classes")
    assert page.problems([{**row, "number": 0, "must": False, "broken": ["E1"], "says": "x"}])


def test_strengths_have_names() -> None:
    """A planted name can stand in a cell's id, and no two are the same."""
    names = [name for fault in PLANTED for name in fault.names()]
    assert len(names) == len(set(names))
