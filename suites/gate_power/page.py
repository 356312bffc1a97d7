"""The figures as a person reads them: a Markdown table, and its place in the README."""

from pathlib import Path
from typing import Any

from plugins.written import write_text
from suites.gate_power.trial import CONDITIONS, GATE, METHODS, PERCENTS

BEGIN, END = "<!-- gate-power: written by `make gate-power` -->", "<!-- end of gate-power -->"


def markdown(evidence: dict[str, Any]) -> str:
    """Share of trials with an alarm, its exact 95 % interval, and the conditions that the figures hold under."""
    found = {(row["condition"], row["percent"], row["method"]): row for row in evidence["rates"]}
    trials = sorted({row["trials"] for row in evidence["rates"]})
    names = [f"our gate, {evidence['settings']['seconds']:g} s", *(f"`{method}`" for method in METHODS if method != GATE)]
    lines = [f"| machine | planted | {' | '.join(names)} |", "|---|---|" + "---|" * len(METHODS)]
    for condition in CONDITIONS:
        for percent in PERCENTS:
            rows = [found.get((condition, percent, method)) for method in METHODS]
            if any(rows):
                what = "nothing (false alarms)" if percent == 0 else f"{percent} %"
                lines.append(f"| {condition} | {what} | {' | '.join(_share(row) for row in rows)} |")
    counts = f"{trials[0]}" if len(trials) == 1 else f"{trials[0]} to {trials[-1]}"
    return "\n".join([*lines, "", f"{counts} trials a row; {_under(evidence)}", ""])


def _share(row: dict[str, Any] | None) -> str:
    return f"{row['rate']:.0%} [{row['low']:.0%}, {row['high']:.0%}]" if row else "–"


def _under(evidence: dict[str, Any]) -> str:
    environment, overhead = evidence["environment"], evidence["overhead"]
    loads = ", ".join(
        f"{condition}: {' and '.join(f'{cores:.2f} by {who}' for who, cores in _who(load))}"
        for condition, load in evidence["load"].items()
    )
    measured = ", ".join(
        f"{c['percent']} % is {c['ratio'] - 1:.3%} [{c['low'] - 1:.3%}, {c['high'] - 1:.3%}]" for c in evidence["calibration"]
    )
    return (
        f"{environment['cpu']}, {environment['cores']} cores, {evidence['date'][:10]}, commit {evidence['commit']}. "
        f"Planted, as measured: {measured}. Cores kept busy: {loads}. Measuring costs {overhead['ratio'] - 1:+.2%} "
        f"[{overhead['low'] - 1:+.2%}, {overhead['high'] - 1:+.2%}] over a bare loop."
    )


def _who(load: dict[str, float]) -> list[tuple[str, float]]:
    names = {"neighbour_cores": "the neighbour", "others_cores": "others on this machine"}
    return [(names[key], cores) for key, cores in load.items()]


def fill(readme: Path, table: str) -> None:
    """Put the table between its two marks. Raises ValueError if they are not there."""
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme} has no {BEGIN} followed by {END}: add the two lines where the table belongs")
    write_text(readme, f"{before}{BEGIN}\n{table}{END}{after}")
