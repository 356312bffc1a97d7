"""The table of faults, on a terminal and as a page."""

from collections.abc import Sequence
from typing import Any

from plugins.report.layout import columns, table

WIDTH = 110  # of what a message says
Row = dict[str, Any]


def problems(rows: Sequence[Row]) -> list[str]:
    """Problems: a strength that must be caught and was not, or a sound cell that was blamed."""
    missed = [f"{_name(row)}: not caught by {' or '.join(row['meant'])}" for row in rows if row["must"] and not row["caught"]]
    return missed + [
        f"{_name(row)}: fails without a fault, {row['says']}" for row in rows if not row["number"] and row["broken"]
    ]


def _name(row: Row) -> str:
    return f"{row['number']:02d} {row['fault']}, {row['strength']}"


def verdict(rows: Sequence[Row]) -> str:
    """How many classes are caught, and how many strengths."""
    faults = [row for row in rows if row["number"]]
    numbers = {row["number"] for row in faults}
    missed = {row["number"] for row in faults if row["must"] and not row["caught"]}
    caught = sum(row["caught"] for row in faults)
    return (
        f"{len(numbers - missed)} of {len(numbers)} classes of fault caught; "
        f"{caught} of {len(faults)} strengths, {len(faults) - caught} too weak to be seen"
    )


def weakest(rows: Sequence[Row]) -> dict[tuple[int, str], str]:
    """The weakest strength of each fault that is still caught; rows come from the strongest to the weakest."""
    return {(row["number"], row["fault"]): row["strength"] for row in rows if row["caught"]}


def text(rows: Sequence[Row]) -> str:
    """Aligned columns."""
    lines = [(f"{row['number']:02d}", row["fault"], row["strength"], _by(row), _says(row)) for row in rows]
    return "\n".join(columns([("#", "fault", "strength", "caught by", "what it says"), *lines]))


def markdown(found: dict[str, Any]) -> str:
    """The page golden/evidence/faults.md."""
    rows, environment = found["rows"], found["environment"]
    head = ("#", "fault", "strength", "caught by", "also breaks", "what the failing test says")
    lines = [
        "# Planted faults",
        "",
        f"{verdict(rows)}. Made by `{found['command']}` at commit {found['commit']} on {found['date'][:10]}: "
        f"{environment['cpu']}, torch {environment['packages']['torch']}. Every fault is planted in a backend or preprocessor that "
        "passes without it (rows 00); strengths fall from row to row, and the weakest that is still caught is in bold.",
        "",
        table(head, [_cells(row, weakest(rows)) for row in rows]),
    ]
    return "\n".join(lines)


def _cells(row: Row, last: dict[tuple[int, str], str]) -> tuple[str, ...]:
    strength = f"**{row['strength']}**" if row["strength"] == last.get((row["number"], row["fault"])) else row["strength"]
    also = " ".join(promise for promise in row["broken"] if promise != row["by"])
    return f"{row['number']:02d}", row["fault"], strength, _by(row), also, _says(row).replace("|", "∣")


def _by(row: Row) -> str:
    if row["caught"]:
        return str(row["by"])
    return "–" if not row["number"] else "MISSED" if row["must"] else "too weak"


def _says(row: Row) -> str:
    if row["says"]:
        return row["says"][: WIDTH - 1] + "…" if len(row["says"]) > WIDTH else str(row["says"])
    used = row["budget_used"]
    return "" if used is None else f"at most {used:.2g} of a budget used"
