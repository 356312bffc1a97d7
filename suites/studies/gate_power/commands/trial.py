"""One trial: a command with a slowdown planted, from the start of its process to its end."""

import time
from typing import Any

from plugins.run import environment
from suites.studies.gate_power.commands.commands import COMMANDS
from suites.studies.gate_power.commands.outcome import INCONCLUSIVE, PASS, Unexpected, counts_as
from suites.studies.gate_power.commands.place import Place
from suites.studies.gate_power.commands.plants import Units
from suites.studies.gate_power.commands.rows import Trial
from suites.studies.gate_power.load import Load
from suites.studies.gate_power.neighbour import Neighbour


def run(trial: Trial, place: Place, unit_bytes: Units, neighbour: Neighbour) -> dict[str, Any]:
    """A record for the journal. Raises Unexpected, with the trial's name, for a command that ended as none may."""
    row, command = trial.row, COMMANDS[trial.row.command]
    planted = row.plant.of(trial.towers, unit_bytes)
    try:
        command.prepare(row.cell, place)
        load, started, at, noise = Load(), time.perf_counter(), environment.now(), 0.0
        if row.condition == "neighbour":
            neighbour.on()
        try:
            code, said = command.start(row.cell, place, row.plant.text(trial.towers, unit_bytes))
        finally:
            if row.condition == "neighbour":
                noise = neighbour.off()
        seconds, cores = time.perf_counter() - started, load.cores(noise)
        verdicts = command.read(code, said, place)
    except Unexpected as error:
        raise Unexpected(f"{row.id}, number {trial.repeat}: {error}") from error
    alarms = {method: counts_as(verdict, tuple(planted)) for method, verdict in verdicts.items()}
    good = all(verdict["verdict"] in (PASS, INCONCLUSIVE) for verdict in verdicts.values())
    command.after(row.cell, place, keep=not planted and good)
    return {
        "row": row.id,
        "repeat": trial.repeat,
        "at": at,
        "planted_in": sorted(planted),
        "exit": code,
        "alarm": alarms,
        "verdicts": dict(verdicts),
        "seconds": seconds,
        **cores,
    }
