"""How large a unit of work is: a hundredth of a tower's undisturbed call; and how long planted calls then take, as measured.

`python -m suites.studies.gate_power.commands.calibration SUBJECT MODEL [TAG]` is one cell, in a process of its own.
"""

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from fixtures.capability import TOWERS, Tower
from plugins.measures.latency.paired import Block, clocked, timed
from suites.studies.gate_power.calibration import alternated
from suites.studies.gate_power.cell import bytes_of_a_unit
from suites.studies.gate_power.commands.gate_subject import Planted, loaded
from suites.studies.gate_power.commands.outcome import Unexpected, sentence
from suites.studies.gate_power.commands.place import Place
from suites.studies.gate_power.commands.plants import middle
from suites.studies.gate_power.commands.rows import Cell

CALLS = 100  # or as many as half of SECONDS holds: the fastest one is undisturbed
PERCENTS, SECONDS = (2, 10), 6.0


def calibrated(cell: Cell, place: Place) -> dict[Tower, Any]:
    """By tower: `unit_bytes`, milliseconds of a call, and the measured ratio of planted calls, with intervals."""
    asked = [cell.subject, cell.model, *([cell.pretrained] if cell.pretrained else [])]
    code, said = place.run([sys.executable, "-m", __spec__.name, *asked])
    lines = [line for line in said.splitlines() if line.startswith("{")]
    if code or not lines:
        raise Unexpected(sentence(f"the calibration of {cell.name} ended with {code}", said))
    found: dict[Tower, Any] = json.loads(lines[-1])
    return found


def measured(cell: Sequence[str], seconds: float = SECONDS) -> dict[Tower, Any]:
    """That, in this process."""
    encoder, rows = loaded(*cell)
    return {tower: _tower(encoder, tower, rows[tower], seconds) for tower in TOWERS}


def _tower(good: Any, tower: Tower, row: Any, seconds: float) -> dict[str, Any]:
    def block(planted: dict[Any, Any]) -> Block:
        encoder = Planted(good, planted)
        return timed(lambda: encoder.encode(row, tower))

    usual = clocked(lambda: good.encode(row, tower))
    ends, times = time.perf_counter() + seconds / 2, [usual() for _ in range(CALLS)]
    while time.perf_counter() < ends:
        times.append(usual())
    call_s = min(times)
    size = bytes_of_a_unit(call_s)
    rng = np.random.default_rng(0)
    plants = {percent: middle(percent).of((tower,), {tower: size}) for percent in PERCENTS}
    ratios = [{"percent": p, **alternated(block(plant), block({}), seconds, rng)} for p, plant in plants.items()]
    return {"call_ms": 1e3 * call_s, "unit_bytes": size, "planted": ratios}


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1:])))
