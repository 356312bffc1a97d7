"""The table of encoders: one line each, its preprocessors as a strip of marks, and figures that fit into 80 columns."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TypeVar

from fixtures.capability import TOWERS
from fixtures.truth import REFERENCE
from plugins.measures.latency.reference import ANCHOR_NAMES
from plugins.measures.vectors.drift import DriftFigures
from plugins.report.form import Row, Verdict
from plugins.report.layout import columns

MARKS: dict[Verdict, str] = {"fail": "F", "expected-failure": "x", "pass": ".", "skipped": "s"}  # the worst first
HEADER = ("encoder", "cells", "image", "text", "p50 ms", "ratio")
ALONE = "encoder alone"  # of a row without a preprocessor
WIDE = 118  # columns from which these are shown too
WIDER = ("class", "may flip", "image drift")
FLIPS = (
    "may flip: the share of first answers that the cell's queries change, with golden's index of 10^4, 10^6 and 10^8 images "
    "(a forecast from the data set's, docs/drift.md)"
)
AnyRow = TypeVar("AnyRow", bound=Mapping[str, object])  # of this run, or of a file


def table_of(rows: Sequence[Row], width: int) -> list[tuple[str, Verdict | None]]:
    """Lines with the verdict that colours them: None for the head and the legend."""
    grouped = by_encoder(rows)
    names = list(dict.fromkeys(row.get("preprocessor", "") for row in rows))
    wide = width >= WIDE
    found = [_line(encoder, own, names, wide) for encoder, own in grouped.items()]
    head, *lines = columns([(*HEADER, *WIDER) if wide else HEADER, *found], right=range(2, len(HEADER)))
    coloured: list[tuple[str, Verdict | None]] = [(head, None)]
    coloured += [(line, _worst(own)) for line, own in zip(lines, grouped.values(), strict=True)]
    return [*coloured, *((line, None) for text in _legend(names, wide) for line in textwrap.wrap(text, width))]


def by_encoder(rows: Sequence[AnyRow]) -> dict[str, list[AnyRow]]:
    """Cells by encoder: its backend and precision, and its device where a report has several."""
    named = ["backend", "precision", *(["device"] if len({row["device"] for row in rows}) > 1 else [])]
    found: dict[str, list[AnyRow]] = {}
    for row in rows:
        found.setdefault(" ".join(str(row[key]) for key in named), []).append(row)
    return found


def shown(own: Sequence[AnyRow]) -> AnyRow:
    """The cell whose figures stand for its encoder: the one with the reference's preprocessor, or the first."""
    return next((row for row in own if row.get("preprocessor") == REFERENCE), own[0])


def _line(encoder: str, own: list[Row], names: list[str], wide: bool) -> tuple[str, ...]:
    row = shown(own)
    drift, latency, ratios = row.get("drift", {}), row.get("latency_ms", {}), row.get("latency_ratio", {})
    verdicts = {row.get("preprocessor", ""): row["verdict"] for row in own}
    image = drift.get("image", drift.get("image_encoder"))
    anchored = any(ratio["reference"] in ANCHOR_NAMES for ratio in ratios.values())
    return (
        encoder,
        "".join(MARKS[verdicts[name]] if name in verdicts else " " for name in names),
        _share(image),
        _share(drift.get("text")),
        " ".join(f"{latency[tower]['p50']:.2f}" for tower in TOWERS if tower in latency),
        "reference" if anchored else " ".join(f"{ratios[tower]['ratio']:.2f}" for tower in TOWERS if tower in ratios),
        *((row.get("class", ""), flips(row), _largest(image)) if wide else ()),
    )


def flips(row: Row) -> str:
    """The share of first answers that may change in galleries of each size."""
    shares = row["may_flip"]["share"].values() if "may_flip" in row else ()
    return " ".join("<1%" if share < 0.01 else f"{share:.0%}" for share in shares)


def _legend(names: list[str], wide: bool) -> list[str]:
    shown = next((name for name in names if name == REFERENCE), names[0])
    order = f", in the order {', '.join(name or ALONE for name in names)}" if len(names) > 1 else ""
    return [
        f"cells: a mark a preprocessor{order}: . pass, x expected failure, F fail, s skipped",
        f"image, text: largest drift, as a share of what is allowed{f' ({shown})' if shown else ''}; p50 ms: of an image and "
        "of a text at batch 1; ratio: their time divided by torch eager fp32's, measured in alternation",
        *([FLIPS] if wide else []),
        "-v shows all figures of all cells",
    ]


def _worst(own: list[Row]) -> Verdict:
    found = {row["verdict"] for row in own}
    return next(verdict for verdict in MARKS if verdict in found)


def _share(drift: DriftFigures | None) -> str:
    if not drift:
        return ""
    share = drift["share_of_tolerance"]
    return f"{share:.0%}" if share < 10 else f"{share:.0f}×" if share < 1000 else f"{share:.0e}×"


def _largest(drift: DriftFigures | None) -> str:
    return f"{drift['cosine_distance']['max']:.1e}" if drift else ""
