"""`clip-conformance diff BEFORE.json AFTER.json`: what changed between two reports, the new failures first."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fixtures.capability import TOWERS
from fixtures.errors import BadInput
from fixtures.storage.atomic import write_text
from plugins.command_line.program import Parser, code_of
from plugins.report.layout import columns

MORE = 1.5  # factor from which a drift counts as changed: less is the order of sums on another processor
SLOWER = 0.05  # change of the ratio to the reference from which a latency counts as changed
Report = dict[str, Any]
Row = dict[str, Any]
Line = tuple[str, str, str, str]  # cell, what, before, after
ABSENT: Row = {"verdict": "-", "broken_promises": []}  # a cell that a report does not have


def read(path: Path) -> Report:
    """A report; raises BadInput for a file that is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}): expected a report.json") from None
    except ValueError:
        raise BadInput(f"{path} is no JSON: expected a report.json") from None
    if not isinstance(found, dict) or "cells" not in found or found.get("schema") != 1:
        raise BadInput(f"{path} is no report of this suite: expected 'schema': 1 and 'cells'")
    return found


def changes(before: Report, after: Report) -> dict[str, list[Line]]:
    """Lines by heading, the gravest first; headings without a line are left out."""
    old, new = ({row["id"]: row for row in report["cells"]} for report in (before, after))
    both = [(old[name], new[name]) for name in new if name in old]
    added = [row for name, row in new.items() if name not in old]
    found = {
        "new failures": [line for a, b in [*both, *((ABSENT, row) for row in added)] for line in _failures(a, b)],
        "no longer failing": [line for a, b in both for line in _failures(b, a, turned=True)],
        "verdict": [line for a, b in both for line in _verdict(a, b)],
        "class": [
            (b["id"], "class", a.get("class", "-"), b.get("class", "-")) for a, b in both if a.get("class") != b.get("class")
        ],
        "drift": [line for a, b in both for line in _drift(a, b)],
        "latency": [line for a, b in both for line in _latency(a, b)],
        "only before": [(name, "cell", row["verdict"], "-") for name, row in old.items() if name not in new],
        "only after": [(row["id"], "cell", "-", row["verdict"]) for row in added],
        "environment": list(_environment(before["environment"], after["environment"])),
    }
    return {heading: lines for heading, lines in found.items() if lines}


def _failures(a: Row, b: Row, turned: bool = False) -> list[Line]:
    """A cell that fails in `b` alone; or, unless `turned`, one that fails in both and breaks a promise in `b` alone."""
    if b["verdict"] != "fail" or (a["verdict"] == "fail" and (turned or {*b["broken_promises"]} <= {*a["broken_promises"]})):
        return []
    fails, other = (
        ", ".join(row["broken_promises"]) or "fail" if row["verdict"] == "fail" else row["verdict"] for row in (b, a)
    )
    return [(b["id"], "broken", fails, other) if turned else (b["id"], "broken", other, fails)]


def _verdict(a: Row, b: Row) -> list[Line]:
    """Another verdict, or other broken promises with the same one, of a cell without a new or mended failure."""
    if a["verdict"] != b["verdict"]:
        return [] if "fail" in (a["verdict"], b["verdict"]) else [(b["id"], "verdict", a["verdict"], b["verdict"])]
    then, now = (", ".join(row["broken_promises"]) for row in (a, b))
    return [] if then == now or _failures(a, b) else [(b["id"], "broken", then or "-", now or "-")]


def _drift(a: Row, b: Row) -> Iterator[Line]:
    for what in ("image", "image_encoder", "text"):
        then, now = (row.get("drift", {}).get(what, {}).get("share_of_tolerance") for row in (a, b))
        if then is not None and now is not None and max(then, now) > MORE * min(then, now) and max(then, now) > 0.1:
            yield (b["id"], f"{what} drift, of what is allowed", f"{then:.0%}", f"{now:.0%}")


def _latency(a: Row, b: Row) -> Iterator[Line]:
    for tower in TOWERS:
        then, now = (row.get("latency_ratio", {}).get(tower, {}) for row in (a, b))
        apart = then and now and (then["high"] < now["low"] or now["high"] < then["low"])
        if apart and abs(now["ratio"] / then["ratio"] - 1) > SLOWER:
            change = f"{now['ratio']:.3f} ({now['ratio'] / then['ratio'] - 1:+.0%})"
            yield (b["id"], f"{tower} time to the reference's", f"{then['ratio']:.3f}", change)


def _environment(a: dict[str, Any], b: dict[str, Any], path: str = "") -> Iterator[Line]:
    for key in sorted({*a, *b}):
        then, now = a.get(key, "-"), b.get(key, "-")
        if isinstance(then, dict) and isinstance(now, dict):
            yield from _environment(then, now, f"{path}{key} ")
        elif then != now:
            yield (f"{path}{key}", "", str(then), str(now))


def _write(target: Path, before: Report, after: Report) -> None:
    from plugins.report.html.needs import check  # an optional package's

    check()
    from plugins.report.html.page import page

    write_text(target, page(after, before))


def main(arguments: Sequence[str] | None = None, write: Callable[[str], object] = print) -> int:
    """0 if no cell fails or breaks a promise that did not before, 1 if one does, 4 for a file that is no report."""
    parser = Parser(prog="clip-conformance diff", description=__doc__)
    parser.add_argument("before", type=Path, metavar="BEFORE.json")
    parser.add_argument("after", type=Path, metavar="AFTER.json")
    parser.add_argument(
        "--report-html", type=Path, metavar="FILE", help="write AFTER as a page too, which begins with what changed"
    )
    asked = parser.parse_args(arguments)
    return code_of(lambda: _compared(asked, write), "nothing was compared")


def _compared(asked: argparse.Namespace, write: Callable[[str], object]) -> int:
    before, after = read(asked.before), read(asked.after)
    if asked.report_html:
        _write(asked.report_html, before, after)
    found = changes(before, after)
    for heading, lines in found.items():
        write(f"{heading} ({len(lines)})")
        for text in columns([(cell, what, f"{then} -> {now}") for cell, what, then, now in lines]):
            write(f"  {text}")
    if not found:
        write("nothing changed")
    return 1 if "new failures" in found else 0


if __name__ == "__main__":
    sys.exit(main())
