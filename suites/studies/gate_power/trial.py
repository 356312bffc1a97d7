"""One trial: the same pair of cells judged by pytest-benchmark and by our gate, under the same condition."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from plugins.measures.latency.decision import Limit, decide
from plugins.measures.latency.paired import timed
from suites.studies.gate_power import peer
from suites.studies.gate_power.cell import UNITS, cell, units
from suites.studies.gate_power.load import Load
from suites.studies.gate_power.neighbour import Neighbour

CONDITIONS = ("idle", "neighbour")
PERCENTS = (0, 1, 2, 5, 10)
GATE = "gate"
METHODS = (GATE, *peer.METHODS)
LIMIT = Limit(slowdown=0.002)  # equal code may differ by a tenth of a per cent, by where it lies in memory


@dataclass(frozen=True)
class Trial:
    """What is planted, where, and for which time."""

    condition: str
    percent: int
    repeat: int


def plan(trials: int, seed: int) -> Iterator[Trial]:
    """So many trials of each condition and slowdown, all in one random order: they meet the same hour of the machine."""
    every = [Trial(c, p, r) for r in range(trials) for c in CONDITIONS for p in PERCENTS]
    return (every[i] for i in np.random.default_rng(seed).permutation(len(every)))


def run(trial: Trial, unit_bytes: int, seconds: float, seed: int, neighbour: Neighbour) -> dict[str, Any]:
    """A record for the journal: each method's alarm and ratio, our gate's verdict, and the load of the machine meanwhile.

    `seconds` is the budget of each side: pytest-benchmark has half of it for the old code and half of it for the new, our gate
    runs between the two, so that its competitor's runs are 2 seconds apart where in use they are days apart.
    """
    old, new = cell(UNITS, unit_bytes), cell(units(trial.percent), unit_bytes)
    rng = np.random.default_rng([seed, CONDITIONS.index(trial.condition), trial.percent, trial.repeat])
    load, noise = Load(), 0.0
    if trial.condition == "neighbour":
        neighbour.on()
    clock = [time.perf_counter()]
    try:
        before = peer.measured(old, seconds / 2)
        clock.append(time.perf_counter())
        decision = decide(timed(new), timed(old), LIMIT, seconds, rng)
        clock.append(time.perf_counter())
        now = peer.measured(new, seconds / 2)
        clock.append(time.perf_counter())
    finally:
        if trial.condition == "neighbour":
            noise = neighbour.off()
    cores = load.cores(noise)
    first, _, second = np.diff(clock)
    gate = {
        "alarm": decision.verdict == "fail",
        "ratio": decision.found.ratio,
        "spent_s": decision.spent_s,
        "verdict": decision.verdict,
    }
    peers = {
        method: {"alarm": alarm, "ratio": now[field] / before[field], "spent_s": float(first + second)}
        for method, alarm in peer.alarms(now, before).items()
        for field in [method.partition(":")[0]]
    }
    return {**asdict(trial), "methods": {GATE: gate, **peers}, **cores}
