"""The whole measurement: each cell's calibration, then every trial that the journal does not hold, until the time is over."""

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from fixtures import ROOT
from fixtures.progress import ProgressLine
from plugins.latency.limits import FILE
from plugins.run import environment
from suites.studies.evidence import stamp
from suites.studies.gate_power.commands import rates, trial
from suites.studies.gate_power.commands.calibration import calibrated
from suites.studies.gate_power.commands.commands import AGAINST_S, ALONE_S, COMMANDS
from suites.studies.gate_power.commands.journal import Journal
from suites.studies.gate_power.commands.place import Place
from suites.studies.gate_power.commands.rows import CELLS, Row, Trial, plan
from suites.studies.gate_power.neighbour import BURST_S, PAUSE_S, Neighbour
from suites.studies.gate_power.rates import loads

COMMAND = "make gate-power"
MEASURED = ("fixtures", "plugins", "suites/against", "suites/latency", "suites/studies/gate_power")
Runner = Callable[[Trial], dict[str, Any]]


def code() -> str:
    """A digest of all that a trial runs. The commit changes with pages too, which a campaign itself writes."""
    digest = hashlib.sha256(FILE.read_bytes())
    for folder in MEASURED:
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def settings(seed: int) -> dict[str, Any]:
    """What figures must share to be counted together."""
    return {
        "seed": seed,
        "code": code(),
        "cpu": environment.fingerprint()["cpu"],
        "cells": {name: vars(cell) for name, cell in CELLS.items()},
        "budgets_s": {"against": AGAINST_S, "pytest-benchmark alone": ALONE_S},
        "neighbour": {"burst_s": BURST_S, "pause_s": PAUSE_S},
    }


def calibrate(journal: Journal, rows: Sequence[Row], place: Place) -> None:
    """Measure the cells that have no calibration, each once for the whole journal."""
    line = ProgressLine("calibration")
    for name in dict.fromkeys(row.cell for row in rows if row.cell in CELLS):
        if name not in journal.calibrations:
            line.step(name)
            journal.append({"cell": name, "calibration": calibrated(CELLS[name], place)})
    line.finish()


def trials(journal: Journal, wanted: Sequence[Trial], ends: float, runner: Runner) -> None:
    """Run what is missing, one line of the journal each; none begins that would end after `ends` (time.monotonic())."""
    done = journal.done
    missing = [each for each in wanted if (each.row.id, each.repeat) not in done]
    line, took = ProgressLine("trials"), [0.0]
    for number, each in enumerate(missing):
        started = time.monotonic()
        if started + median(took) > ends:
            break
        line.step(f"{len(done) + number} done, {len(missing) - number} left, now {each.row.id}")
        journal.append(runner(each))
        took.append(time.monotonic() - started)
    line.finish()


def evidence(journal: Journal) -> dict[str, Any]:
    """All that golden/evidence/gate-power-commands.json holds."""
    records = journal.records
    found = rates.rates(records)
    spans = sorted(record["at"] for record in records)
    return {
        "schema": 1,
        "command": COMMAND,
        **stamp(),
        "commit": journal.named("commit"),
        "settings": journal.lines[0],
        "commands": {command.name: command.shown for command in COMMANDS.values()},
        "calibration": journal.calibrations,
        "between": [spans[0], spans[-1]] if spans else [],
        "load": loads([{**record, "condition": record["row"].split("/")[1]} for record in records]),
        "goals": rates.goals(found),
        "rates": found,
    }


def measure(folder: Path, rows: Sequence[Row], wanted: int, seed: int, ends: float) -> dict[str, Any]:
    """Go on with the journal in `folder`, which may be new; the neighbour ends with this call."""
    journal, place = Journal(folder / "journal.jsonl", settings(seed)), Place(folder / "place")
    if journal.named("commit") is None:
        journal.append({"commit": environment.commit()})
    calibrate(journal, rows, place)

    def unit_bytes(cell: str) -> dict[Any, int]:
        return {tower: found["unit_bytes"] for tower, found in journal.calibrations.get(cell, {}).items()}

    with Neighbour(seed) as neighbour:
        trials(journal, [*plan(rows, wanted, seed)], ends, lambda t: trial.run(t, place, unit_bytes(t.row.cell), neighbour))
    return evidence(journal)
