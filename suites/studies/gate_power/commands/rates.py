"""From trials to rates: how often each command raised its alarm, with exact intervals, and which goals that reaches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from suites.studies.gate_power.commands.commands import COMMANDS
from suites.studies.gate_power.commands.outcome import ALARM, INCONCLUSIVE, OTHER, PASS
from suites.studies.gate_power.commands.rows import AGAINST, AGAINST_1, COMPARE, COMPARE_2, ROWS, SELECTION
from suites.studies.gate_power.rates import counted

Record = Mapping[str, Any]
VERDICTS = (PASS, ALARM, INCONCLUSIVE, OTHER)
TAILS = ("1 in 20 × 2", "1 in 100 × 8")


@dataclass(frozen=True)
class Goal:
    """Share of a row's trials beside the neighbour that raise an alarm, and the hours that these must be spread over."""

    command: str
    plant: str
    side: str
    wanted: float
    hours: float = 0.0


GOALS = (
    *(Goal(command, "2 %", "at least", 0.95) for command in (AGAINST, AGAINST_1)),
    *(Goal(command, "nothing", "at most", 0.01) for command in (AGAINST, AGAINST_1)),
    Goal(COMPARE, "10 %", "at least", 0.95),
    Goal(COMPARE_2, "5 %", "at least", 0.80),
    *(Goal(COMPARE, tail, "at least", 0.95) for tail in TAILS),
    Goal(SELECTION, "nothing", "at most", 0.01, hours=3.0),
)


def rates(records: Sequence[Record]) -> list[dict[str, Any]]:
    """One entry for each row that has trials, and each method of its command."""
    found = []
    for row in ROWS:
        mine = [record for record in records if record["row"] == row.id]
        about = {"command": row.command, "condition": row.condition, "cell": row.cell, "plant": row.plant.name}
        found += [{**about, **_entry(method, mine)} for method in COMMANDS[row.command].methods if mine]
    return found


def _entry(method: str, records: Sequence[Record]) -> dict[str, Any]:
    verdicts = [record["verdicts"][method] for record in records]
    at = sorted(datetime.fromisoformat(record["at"]) for record in records)
    entry = {
        "method": method,
        **counted(sum(record["alarm"][method] for record in records), len(records)),
        "elsewhere": sum(v["verdict"] == ALARM and not r["alarm"][method] for r, v in zip(records, verdicts, strict=True)),
        "verdicts": {name: sum(v["verdict"] == name for v in verdicts) for name in VERDICTS},
        "median_s": float(np.median([record["seconds"] for record in records])),
        "hours": (at[-1] - at[0]).total_seconds() / 3600,
    }
    shown = [
        figure
        for record, verdict in zip(records, verdicts, strict=True)
        for figure in verdict.get("figures", {}).values()
        if not record["planted_in"] or figure["tower"] in record["planted_in"]
    ]
    for name in ("ratio", "would_have_seen"):
        values = [figure[name] for figure in shown if figure.get(name) is not None]
        if values:
            entry[name] = dict(zip(("p5", "p50", "p95"), np.percentile(values, (5, 50, 95)).tolist(), strict=True))
    return entry


def goals(entries: Sequence[Record]) -> list[dict[str, Any]]:
    """Each goal for each cell that has trials, with what was found."""
    listed = []
    for goal in GOALS:
        for entry in entries:
            if (entry["method"], entry["condition"], entry["plant"]) != (goal.command, "neighbour", goal.plant):
                continue
            enough = entry["rate"] <= goal.wanted if goal.side == "at most" else entry["rate"] >= goal.wanted
            spread = f" over at least {goal.hours:g} hours" if goal.hours else ""
            where = f"{goal.command}, {entry['cell']}, beside the neighbour"
            what = f"{where}: alarms over {goal.plant} {goal.side} {goal.wanted:.0%}"
            figures = {name: entry[name] for name in ("rate", "low", "high", "trials", "hours")}
            listed.append({"goal": what + spread, "reached": enough and entry["hours"] >= goal.hours, **figures})
    return listed
