"""The lines of the page's tables of indexing and of many clients."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from plugins.report.layout import code

Row = Mapping[str, Any]
STAGES = ("read", "decode", "preprocess", "tokenise", "encode", "request", "index")
LOAD = ("clients", "rate /s", "p50 ms", "p95", "p99", "goodput /s", "wrong", "refused", "requests", "at saturation /s")
FIRST = ("first request ms", "requests to steady")


def cases(rows: Sequence[Row]) -> Iterator[tuple[tuple[str, str, str], dict[int, Row]]]:
    """The rows of each subject, tower and source, by batch size, in the order in which they were measured."""
    for key, some in groupby(rows, key=lambda row: (row["subject"], row["tower"], row["source"])):
        yield key, {row["batch"]: row for row in some}


def steady_rows(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """Milliseconds a document in the steady state, a column a batch size."""
    for (subject, tower, source), sizes in cases(rows):
        yield code(subject), tower, source, *(f"{row['steady']:.2f}" for row in sizes.values())


def first_rows(listed: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """The first batch over the steady ones, and batches until then; the encoder's first requests."""
    for one in listed:
        for (subject, tower, source), sizes in cases(one["rows"]):
            cells = [f"{row['first'] / row['steady']:.2f}, {row['batches_to_steady']}" for row in sizes.values()]
            first = one["first"][tower]
            yield code(subject), tower, source, *cells, f"{first['first_call']:.1f}", f"{first['calls_to_steady']:.0f}"


def stage_rows(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """The smallest and the largest batch size of each case."""
    for (subject, tower, source), sizes in cases(rows):
        for size in sorted({min(sizes), max(sizes)}):
            stages = sizes[size]["stages"]
            shown = (f"{stages[name]:.2f}" if name in stages else "" for name in STAGES)
            yield code(subject), tower, source, str(size), *shown, f"{sum(stages.values()):.2f}"


def equal_rows(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """All vectors of a subject and tower, over sources and batch sizes."""
    for (subject, tower), some in groupby(rows, key=lambda row: (row["subject"], row["tower"])):
        found = [row["equal"] for row in some]
        worst = max(found, key=lambda one: float(one["worst_share"]))
        says = (
            "right"
            if not worst["broken"]
            else ("differs, as declared" if worst["declared"] else f"**broken**: {worst['says']}")
        )
        vectors, same = (sum(one[name] for one in found) for name in ("compared", "same_bits"))
        yield code(subject), tower, str(vectors), str(same), f"{worst['worst_share']:.2g}", says


def load_rows(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """The highest rate before saturation, and what is answered at saturation; a dash where there is none."""
    for (subject, tower, clients), some in groupby(rows, key=lambda row: (row["subject"], row["tower"], row["clients"])):
        rates = [*some]
        before = [row for row in rates if not row["saturated"]]
        full = f"{rates[-1]['throughput']:.0f}" if rates[-1]["saturated"] else "–"
        row = before[-1] if before else None
        shown = [f"{row[name]:.1f}" for name in ("rate", "p50", "p95", "p99", "goodput")] if row else ["–"] * 5
        counts = (str(sum(row[name] for row in rates)) for name in ("wrong", "refused", "requests"))
        yield code(subject), tower, str(clients), *shown, *counts, full
