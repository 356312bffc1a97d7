"""The figures as a Markdown table, which also goes into docs/how-good-is-the-gate.md."""

from pathlib import Path
from typing import Any

from fixtures.storage.atomic import write_text
from plugins.report.layout import table
from suites.studies.gate_power.trial import CONDITIONS, GATE, METHODS, PERCENTS

BEGIN, END = "<!-- gate-power: written by `make gate-power` -->", "<!-- end of gate-power -->"
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
                lines.append((condition, what, *map(_share, rows)))
    counts = f"{trials[0]}" if len(trials) == 1 else f"{trials[0]} to {trials[-1]}"
    return "\n".join([table(("machine", "planted", *names), lines), f"{counts} trials a row; {_under(evidence)}", ""])


def _share(row: dict[str, Any] | None) -> str:
    return f"{row['rate']:.0%} [{row['low']:.0%}, {row['high']:.0%}]" if row else "–"


def _under(evidence: dict[str, Any]) -> str:
    environment, load = evidence["environment"], evidence["load"]
    loads = [f"{condition}: {' and '.join(f'{n:.2f} by {who}' for who, n in _who(load[condition]))}" for condition in load]
    measured = [f"{found['percent']} % is {_change(found, 3)}" for found in evidence["calibration"]]
    costs = [f"{_change(found, 2)} by the {name} clock" for name, found in evidence["overhead"].items()]
    return (
        f"{environment['cpu']}, {environment['cores']} cores, {evidence['date'][:10]}, commit {evidence['commit']}. "
        f"Planted, as measured: {', '.join(measured)}. Cores kept busy: {', '.join(loads)}. "
        f"Measuring a call costs, over a bare loop: {', '.join(costs)}."
    )


def _change(found: dict[str, Any], digits: int) -> str:
    ratio, low, high = (f"{found[key] - 1:+.{digits}%}" for key in ("ratio", "low", "high"))
    return f"{ratio} [{low}, {high}]"


def _who(load: dict[str, float]) -> list[tuple[str, float]]:
    names = {"neighbour_cores": "the neighbour", "others_cores": "others on this machine"}
    return [(names[key], cores) for key, cores in load.items()]


def fill(page: Path, table: str) -> None:
    """Put the picture and the table between their two marks. Raises ValueError if they are not there."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no {BEGIN} followed by {END}: add the two lines where the table belongs")
    write_text(page, f"{before}{BEGIN}\n{PICTURE}\n\n{table}{END}{after}")
