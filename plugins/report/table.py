"""The end of a run: the table of encoders, or with -v of cells, coloured by verdict; the reasons; the count."""

from collections import Counter, defaultdict

import pytest

from fixtures.capability import TOWERS, Tower
from plugins.measures.latency.reference import ANCHOR_NAMES
from plugins.measures.latency.steady import Percentiles
from plugins.measures.vectors.drift import DriftFigures
from plugins.report.encoders import FLIPS, flips, table_of
from plugins.report.form import Row
from plugins.report.form_compared import LatencyRatio
from plugins.report.layout import columns

COLOURS = {"pass": "green", "fail": "red", "skipped": "yellow", "expected-failure": "cyan"}
HEADER = (
    "cell",
    "verdict",
    "class",
    "may flip",
    "image drift",
    "text drift",
    "recall",
    "encode",
    "text",
    "document",
    "vs reference",
)


def summary(terminal: pytest.TerminalReporter, rows: list[Row]) -> None:
    """Write the table, what its columns mean, the reasons, and the count."""
    terminal.section("conformance")
    if terminal.config.get_verbosity() > 0:
        _table_of_cells(terminal, rows)
    else:
        for text, verdict in table_of(rows, terminal.config.get_terminal_writer().fullwidth):
            terminal.write_line(text, **({COLOURS[verdict]: True} if verdict else {}))
    _reasons(terminal, rows)
    counts = Counter(row["verdict"] for row in rows)
    ran = len(rows) - counts["skipped"]
    terminal.write_line(
        f"{ran} of {len(rows)} cells ran: " + ", ".join(f"{n} {v}" for v, n in sorted(counts.items())), bold=True
    )


def _table_of_cells(terminal: pytest.TerminalReporter, rows: list[Row]) -> None:
    head, *lines = columns([HEADER, *map(line, rows)], right=range(4, len(HEADER)))
    terminal.write_line(head, bold=True)
    for text, row in zip(lines, rows, strict=True):
        terminal.write_line(text, **{COLOURS[row["verdict"]]: True})
    terminal.write_line(FLIPS)
    terminal.write_line(
        "drift: largest cosine distance from golden, as a share of its budget; recall: change of text→image R@1 in points, "
        "with its 95 % interval, or, for a slow encoder, the images that drift was measured on; "
        "encode, text, document: batch-1 p50 in ms (document: from file to vector); "
        "vs reference: image and text time as a ratio to torch eager fp32, measured in alternation"
    )


def _reasons(terminal: pytest.TerminalReporter, rows: list[Row]) -> None:
    found: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    for row in rows:
        for reason, broken in row.get("reasons", {row["reason"]: row["broken_promises"]} if row["reason"] else {}).items():
            found[row["verdict"], reason].append(broken)
    order = list(COLOURS)
    for (verdict, reason), each in sorted(found.items(), key=lambda entry: (order.index(entry[0][0]), -len(entry[1]))):
        promises = ",".join(sorted({promise for broken in each for promise in broken}))
        cells = f"{len(each)} cell{'' if len(each) == 1 else 's'}"
        terminal.write_line(f"  {verdict} in {cells}{': ' if promises else ''}{promises}: {reason}", **{COLOURS[verdict]: True})
    for reason in dict.fromkeys(why for row in rows for why in row.get("not_judged", [])):
        terminal.write_line(f"  not judged: {reason}", yellow=True)
    for warning in dict.fromkeys(line for row in rows for line in row.get("warnings", [])):
        terminal.write_line(f"  a library warned while building: {warning}", yellow=True)


def line(row: Row) -> tuple[str, ...]:
    latency, drift = row.get("latency_ms", {}), row.get("drift", {})
    return (
        row["id"],
        row["verdict"],
        row.get("class", "-"),
        flips(row) or "-",
        _share(drift.get("image")),
        _share(drift.get("text")),
        _recall(row),
        *map(_p50, (latency.get("image"), latency.get("text"), latency.get("document"))),
        _ratios(row.get("latency_ratio")),
    )


def _share(drift: DriftFigures | None) -> str:
    if not drift:
        return "-"
    return f"{drift['cosine_distance']['max']:.1e} {drift['share_of_tolerance']:5.0%}"


def _recall(row: Row) -> str:
    searched, sampled = row.get("retrieval", {}).get("text_to_image"), row.get("sampled")
    if not searched:
        return f"sampled: {sampled['images']} of {sampled['of']}" if sampled else "-"
    low, high = searched["ci95"]
    return f"{searched['change']:+.1f} [{low:+.1f}, {high:+.1f}]"


def _ratios(ratios: dict[Tower, LatencyRatio] | None) -> str:
    if not ratios:
        return "-"
    anchored = any(ratio["reference"] in ANCHOR_NAMES for ratio in ratios.values())
    return "reference" if anchored else " ".join(f"{ratios[tower]['ratio']:.2f}" for tower in TOWERS if tower in ratios)


def _p50(latency: Percentiles | None) -> str:
    return f"{latency['p50']:.2f}" if latency else "-"
