"""The whole measurement: calibration, overhead, then every trial that the journal does not hold yet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fixtures.progress import ProgressLine
from plugins.measures.latency.decision import LOOKS
from plugins.measures.latency.paired import CALLS
from plugins.run import environment
from suites.studies.evidence import stamp
from suites.studies.gate_power import calibration, rates
from suites.studies.gate_power.cell import CALL_S, UNITS, bytes_of_a_unit
from suites.studies.gate_power.journal import Journal
from suites.studies.gate_power.neighbour import BURST_S, PAUSE_S, Neighbour
from suites.studies.gate_power.trial import LIMIT, PERCENTS, Trial, plan, run

COMMAND = "make gate-power-in-process"
CALIBRATION_S, OVERHEAD_REPEATS = 20.0, 15
Runner = Callable[[Trial, Journal], dict[str, Any]]


def settings(seconds: float, seed: int) -> dict[str, Any]:
    """What figures must share to be counted together; the cell and the machine's clock are the journal's first entry."""
    return {
        "seconds": seconds,
        "seed": seed,
        "commit": environment.commit(),
        "cpu": environment.fingerprint()["cpu"],
        "cell": {"units": UNITS, "about_s": CALL_S},
        "gate": {"slowdown": LIMIT.slowdown, "false_alarms": LIMIT.false_alarms, "calls_in_a_block": CALLS, "looks": LOOKS},
        "neighbour": {"burst_s": BURST_S, "pause_s": PAUSE_S},
    }


def calibrate(journal: Journal, seconds: float, rng: np.random.Generator) -> None:
    """Size the unit, measure each planted slowdown and the overhead, once for the whole journal."""
    line = ProgressLine("calibration")
    if journal.named("unit_bytes") is None:
        journal.append({"unit_bytes": bytes_of_a_unit()})
    size = journal.named("unit_bytes")
    if journal.named("calibration") is None:
        found = []
        for percent in PERCENTS[1:]:
            line.step(f"{percent} % planted")
            found.append(calibration.planted(percent, size, CALIBRATION_S * min(1, seconds / 2), rng))
        journal.append({"calibration": found})
    if journal.named("overhead") is None:
        line.step("overhead of measuring")
        journal.append({"overhead": calibration.overhead(size, seconds, OVERHEAD_REPEATS, rng)})
    line.finish()


def trials(journal: Journal, wanted: int, seed: int, runner: Runner) -> None:
    """Run what is missing, one line of the journal each."""
    missing = [trial for trial in plan(wanted, seed) if trial not in journal.done]
    line = ProgressLine("trials")
    for number, trial in enumerate(missing):
        elapsed = line.clock() - line.started
        left = f", {elapsed / number * (len(missing) - number) / 60:.0f} min left" if number else ""
        line.step(f"{len(journal.records)} of {len(journal.records) + len(missing) - number} done{left}")
        journal.append(runner(trial, journal))
    line.finish()


def evidence(journal: Journal) -> dict[str, Any]:
    """All that golden/evidence/gate-power.json holds."""
    rows, overhead = rates.rates(journal.records), journal.named("overhead")
    return {
        "schema": 1,
        "command": COMMAND,
        **stamp(),
        "commit": journal.lines[0]["commit"],
        "settings": {**journal.lines[0], "unit_bytes": journal.named("unit_bytes")},
        "calibration": journal.named("calibration"),
        "overhead": overhead,
        "load": rates.loads(journal.records),
        "goals": rates.goals(rows, overhead),
        "rates": rows,
    }


def measure(path: Path, wanted: int, seconds: float, seed: int) -> dict[str, Any]:
    """Complete the journal at `path`, which may be new; the neighbour ends with this call."""
    journal = Journal(path, settings(seconds, seed))
    calibrate(journal, seconds, np.random.default_rng(seed))
    with Neighbour(seed) as neighbour:
        trials(journal, wanted, seed, lambda trial, kept: run(trial, kept.named("unit_bytes"), seconds, seed, neighbour))
    return evidence(journal)
