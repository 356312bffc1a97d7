"""The table at the end of a run: one aligned line a cell, coloured by verdict."""

from collections import Counter, defaultdict
from typing import Any

import pytest

from plugins.measures.latency.reference import ANCHOR_NAMES

COLOURS = {"pass": "green", "fail": "red", "skipped": "yellow", "expected-failure": "cyan"}
HEADER = ("cell", "verdict", "class", "image drift", "text drift", "recall", "encode", "text", "document", "vs reference")


def summary(terminal: pytest.TerminalReporter, rows: list[dict[str, Any]]) -> None:
    """Write the table, what its columns mean, the reasons, and the count."""
    terminal.section("conformance")
    lines = [HEADER, *(_line(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]
    for line, row in zip(lines, [None, *rows], strict=True):
        text = "  ".join(
            cell.ljust(w) if i < 3 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        terminal.write_line(text.rstrip(), **({COLOURS[row["verdict"]]: True} if row else {"bold": True}))
    terminal.write_line(
        "drift: largest cosine distance from golden, as a share of its budget; recall: change of text→image R@1 in points, "
        "with its 95 % interval, or, beside a slow encoder, the images that drift was measured on; "
        "encode, text, document: batch-1 p50 in ms (document: from file to vector); "
        "vs reference: image and text time as a ratio to torch eager fp32, measured in alternation"
    )
    found: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
    for row in rows:
        for reason, promises in row.get("reasons", {row["reason"]: row["broken_promises"]} if row["reason"] else {}).items():
            found[row["verdict"], reason].append(promises)
    for (verdict, reason), broken in sorted(
        found.items(), key=lambda entry: (list(COLOURS).index(entry[0][0]), -len(entry[1]))
    ):
        promises = ",".join(sorted({promise for cell in broken for promise in cell}))
        cells = f"{len(broken)} cell" + "s" * (len(broken) != 1)
        terminal.write_line(f"  {verdict} in {cells}{': ' if promises else ''}{promises}: {reason}", **{COLOURS[verdict]: True})
    for reason in dict.fromkeys(why for row in rows for why in row.get("not_judged", [])):
        terminal.write_line(f"  not judged: {reason}", yellow=True)
    for warning in dict.fromkeys(line for row in rows for line in row.get("warnings", [])):
        terminal.write_line(f"  a library warned while building: {warning}", yellow=True)
    counts = Counter(row["verdict"] for row in rows)
    ran = len(rows) - counts["skipped"]
    terminal.write_line(
        f"{ran} of {len(rows)} cells ran: " + ", ".join(f"{n} {v}" for v, n in sorted(counts.items())), bold=True
    )


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    latency, drift = row.get("latency_ms", {}), row.get("drift", {})
    return (
        row["id"],
        row["verdict"],
        row.get("class", "-"),
        _share(drift.get("image")),
        _share(drift.get("text")),
        _recall(row),
        *(_p50(latency.get(what)) for what in ("image", "text", "document")),
        _ratios(row.get("latency_ratio")),
    )


def _share(drift: dict[str, Any] | None) -> str:
    if not drift:
        return "-"
    return f"{drift['cosine_distance']['max']:.1e} {drift['share_of_tolerance']:5.0%}"


def _recall(row: dict[str, Any]) -> str:
    retrieval, sampled = row.get("retrieval"), row.get("sampled")
    if not retrieval:
        return f"sampled: {sampled['images']} of {sampled['of']}" if sampled else "-"
    low, high = retrieval["text_to_image"]["ci95"]
    return f"{retrieval['text_to_image']['change']:+.1f} [{low:+.1f}, {high:+.1f}]"


def _ratios(ratios: dict[str, Any] | None) -> str:
    if not ratios:
        return "-"
    anchored = any(ratio["reference"] in ANCHOR_NAMES for ratio in ratios.values())
    return (
        "reference" if anchored else " ".join(f"{ratios[tower]['ratio']:.2f}" for tower in ("image", "text") if tower in ratios)
    )


def _p50(latency: dict[str, float] | None) -> str:
    return f"{latency['p50']:.2f}" if latency else "-"
