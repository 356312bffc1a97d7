"""The figures as a Markdown table, which also goes into docs/how-good-is-the-gate.md."""

from pathlib import Path
from typing import Any

from fixtures.storage.atomic import write_text
from plugins.report.layout import table
from suites.studies.gate_power.trial import CONDITIONS, GATE, METHODS, PERCENTS

BEGIN, END = "<!-- gate-power: written by `make gate-power-in-process` -->", "<!-- end of gate-power -->"
PICTURE = "![Alarms against the planted slowdown, idle and beside a neighbour](../golden/evidence/gate-power.svg)"


def markdown(evidence: dict[str, Any]) -> str:
    """Share of trials with an alarm, its exact 95 % interval, and the conditions that the figures hold under."""
    found = {(row["condition"], row["percent"], row["method"]): row for row in evidence["rates"]}
    trials = sorted({row["trials"] for row in evidence["rates"]})
    names = [f"our gate, {evidence['settings']['seconds']:g} s", *(f"`{method}`" for method in METHODS if method != GATE)]
    lines = []
    for condition in CONDITIONS:
        for percent in PERCENTS:
            rows = [found.get((condition, percent, method)) for method in METHODS]
            if any(rows):
                what = "nothing (false alarms)" if percent == 0 else f"{percent} %"
                lines.append((condition, what, *map(share, rows)))
    counts = f"{trials[0]}" if len(trials) == 1 else f"{trials[0]} to {trials[-1]}"
    return "\n".join([table(("machine", "planted", *names), lines), f"{counts} trials a row; {_under(evidence)}", ""])


def share(row: dict[str, Any] | None) -> str:
    """The rate with its interval; a dash for a row without trials."""
    return f"{row['rate']:.0%} [{row['low']:.0%}, {row['high']:.0%}]" if row else "–"


def _under(evidence: dict[str, Any]) -> str:
    environment = evidence["environment"]
    measured = [f"{found['percent']} % is {change(found, 3)}" for found in evidence["calibration"]]
    costs = [f"{change(found, 2)} by the {name} clock" for name, found in evidence["overhead"].items()]
    return (
        f"{environment['cpu']}, {environment['cores']} cores, {evidence['date'][:10]}, commit {evidence['commit']}. "
        f"Planted, as measured: {', '.join(measured)}. Cores kept busy: {busy(evidence['load'])}. "
        f"Measuring a call costs, over a bare loop: {', '.join(costs)}."
    )


def change(found: dict[str, Any], digits: int) -> str:
    """A ratio as a change with its interval."""
    ratio, low, high = (f"{found[key] - 1:+.{digits}%}" for key in ("ratio", "low", "high"))
    return f"{ratio} [{low}, {high}]"


def busy(loads: dict[str, dict[str, float]]) -> str:
    """Cores that were busy, by condition and by whom."""
    names = {"neighbour_cores": "the neighbour", "others_cores": "others on this machine"}
    said = {condition: [f"{n:.2f} by {names[key]}" for key, n in load.items()] for condition, load in loads.items()}
    return ", ".join(f"{condition}: {' and '.join(parts)}" for condition, parts in said.items())


def fill(page: Path, table: str, begin: str = BEGIN, end: str = END, picture: str = PICTURE) -> None:
    """Put the picture and the table between their two marks. Raises ValueError if they are not there."""
    text = page.read_text(encoding="utf-8")
    before, begun, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not begun or not found:
        raise ValueError(f"{page} has no {begin} followed by {end}: add the two lines where the table belongs")
    write_text(page, f"{before}{begin}\n{picture}\n\n{table}{end}{after}")
