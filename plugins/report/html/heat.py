"""The matrix as a heat map: a row an encoder, a column a preprocessor, a colour for the share of the budget that is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fixtures.capability import TOWERS
from plugins.report.encoders import ALONE, MARKS, by_encoder, shown
from plugins.report.html.answer import Row

STEPS = (0.25, 0.5, 0.75, 1.0)  # shares of the budget at which the colour changes
FIGURES = ("text drift", "image ms", "text ms", "image ratio", "text ratio")


@dataclass(frozen=True)
class Square:
    """A cell of the map: its text, its CSS classes, and the id of the cell that it shows."""

    text: str
    style: str
    id: str


@dataclass(frozen=True)
class Line:
    """An encoder: squares in the order of the columns (None where there is no cell), and its figures as in FIGURES."""

    name: str
    squares: list[Square | None]
    figures: list[str]


def heat(rows: Sequence[Row]) -> tuple[list[str], list[Line]]:
    """Columns and lines. The text of a square is the largest drift as a share of its budget, or the verdict's mark."""
    columns = list(dict.fromkeys(row.get("preprocessor", ALONE) for row in rows))
    lines = []
    for name, own in by_encoder(rows).items():
        cells = {row.get("preprocessor", ALONE): row for row in own}
        squares = [_square(cells[column]) if column in cells else None for column in columns]
        lines.append(Line(name, squares, _figures(shown(own))))
    return columns, lines


def percent(share: float | None) -> str:
    """A share for people: "12%", "3.4×", or nothing."""
    if share is None:
        return ""
    return (
        f"{share:.0%}"
        if share < 1.995
        else f"{share:.1f}×"
        if share < 10
        else f"{share:.0f}×"
        if share < 1e4
        else f"{share:.0e}×"
    )


def share_of(row: Row, what: str) -> float | None:
    """The largest drift as a share of what is allowed; None if it was not measured."""
    found: float | None = row.get("drift", {}).get(what, {}).get("share_of_tolerance")
    return found


def _square(row: Row) -> Square:
    share = share_of(row, "image")
    share = share_of(row, "image_encoder") if share is None else share
    step = "" if share is None else f" step{sum(share > limit for limit in STEPS)}"
    return Square(f"{percent(share)} {MARKS[row['verdict']]}".strip(), f"{row['verdict']}{step}", row["id"])


def _figures(row: Row) -> list[str]:
    latency, ratios = row.get("latency_ms", {}), row.get("latency_ratio", {})
    times = [f"{latency[tower]['p50']:.2f}" if tower in latency else "" for tower in TOWERS]
    return [percent(share_of(row, "text")), *times, *(_ratio(ratios.get(tower)) for tower in TOWERS)]


def _ratio(ratio: dict[str, Any] | None) -> str:
    return f"{ratio['ratio']:.2f}" if ratio else ""
