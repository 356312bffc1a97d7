"""What a trial of the gate's study of commands leaves in its journal."""

from typing import Any

from suites.studies.gate_power.commands.commands import COMMANDS
from suites.studies.gate_power.commands.plants import NOTHING
from suites.studies.gate_power.commands.rows import Trial


def record(each: Trial, verdict: str = "pass", at: str = "2026-01-01T00:00:00+00:00") -> dict[str, Any]:
    """A trial's line."""
    planted = [] if each.row.plant is NOTHING else [*each.towers]
    figure = {"tower": each.towers[0], "ratio": 1.1, "low": 1.0, "high": 1.2, "would_have_seen": 0.06}
    said = {"verdict": verdict, "alarms": [*each.towers] if verdict == "alarm" else [], "figures": {"it": figure}}
    methods = COMMANDS[each.row.command].methods
    return {
        "row": each.row.id,
        "repeat": each.repeat,
        "at": at,
        "planted_in": planted,
        "exit": 0,
        "alarm": dict.fromkeys(methods, verdict == "alarm"),
        "verdicts": dict.fromkeys(methods, said),
        "seconds": 20.0,
        "neighbour_cores": 0.5,
        "others_cores": 0.1,
    }
