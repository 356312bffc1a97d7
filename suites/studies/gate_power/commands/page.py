"""The rates as a Markdown table, which also goes into docs/how-good-is-the-gate.md."""

from collections.abc import Mapping
from typing import Any

from plugins.report.layout import table
from suites.studies.gate_power.commands.plants import PLANTS
from suites.studies.gate_power.page import busy, change, share

BEGIN, END = "<!-- gate-power-commands: written by `make gate-power` -->", "<!-- end of gate-power-commands -->"
PICTURE = "![Alarms of real commands over each planted slowdown](../golden/evidence/gate-power-commands.svg)"
NAMES = {"nothing": "nothing (false alarms)"}


def markdown(evidence: Mapping[str, Any]) -> str:
    """Share of runs with an alarm, its exact 95 % interval and the number of runs, and the conditions that these hold under."""
    methods: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
    for entry in evidence["rates"]:
        rows = methods.setdefault(_method(evidence, entry), {})
        rows.setdefault((entry["cell"], entry["condition"]), {})[entry["plant"]] = entry
    tables = [f"**{method}**\n\n{_table(rows)}" for method, rows in methods.items()]
    return "\n".join([*tables, f"{_under(evidence)}\n\n{_seconds(evidence)}", ""])


def _table(rows: Mapping[tuple[str, str], Mapping[str, Any]]) -> str:
    plants = [plant.name for plant in PLANTS if any(plant.name in found for found in rows.values())]
    lines = [(*about, *(_share(found.get(name)) for name in plants)) for about, found in rows.items()]
    return table(("cell", "machine", *(NAMES.get(name, name) for name in plants)), lines)


def _method(evidence: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    shown = evidence["commands"][entry["command"]]
    return shown if entry["method"] == entry["command"] else f"{shown}: `{entry['method']}`"


def _share(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return share(entry)
    beside = {
        "unclear": entry["verdicts"]["inconclusive"],
        "in the other tower": entry["elsewhere"],
        "other failures": entry["verdicts"]["other failure"],
    }
    return ", ".join([f"{share(entry)} of {entry['trials']}", *(f"{n} {what}" for what, n in beside.items() if n)])


def _under(evidence: Mapping[str, Any]) -> str:
    here = evidence["environment"]
    calls = [
        f"{cell}'s {tower} tower takes {found['call_ms']:.3g} ms, and "
        + " and ".join(f"{each['percent']} % is {change(each, 2)}" for each in found["planted"])
        for cell, towers in evidence["calibration"].items()
        for tower, found in towers.items()
    ]
    first, last = (at[:16].replace("T", " ") for at in evidence["between"])
    return (
        f"{here['cpu']}, {here['cores']} cores, {first} to {last} UTC, commit {evidence['commit']}. "
        f"As measured: {'; '.join(calls)}. Cores kept busy: {busy(evidence['load'])}."
    )


def doubts(evidence: Mapping[str, Any]) -> list[str]:
    """A sentence for each tower whose 10 % cannot be told from half or twice as much: what was planted there is unknown."""
    return [
        f"{cell}'s {tower} tower was calibrated on a busy machine ({each['percent']} % is {change(each, 1)}): "
        "remove the journal, and measure again when fewer programs run"
        for cell, towers in evidence["calibration"].items()
        for tower, found in towers.items()
        for each in found["planted"]
        if each["percent"] == 10 and not 1.05 < each["low"] <= each["high"] < 1.2
    ]


def _seconds(evidence: Mapping[str, Any]) -> str:
    """The dearest row's median of each command."""
    spent: dict[str, float] = {}
    for entry in evidence["rates"]:
        shown = evidence["commands"][entry["command"]]
        spent[shown] = max(spent.get(shown, 0.0), entry["median_s"])
    return f"Seconds of a command: {'; '.join(f'{shown}: {seconds:.0f}' for shown, seconds in spent.items())}."
