"""The page: a report as one HTML file, with everything inside that it shows."""

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fixtures.capability import TOWERS
from plugins.report.difference import Report, changes
from plugins.report.encoders import MARKS
from plugins.report.html.answer import Row, answer, grouped
from plugins.report.html.charts import charts
from plugins.report.html.heat import FIGURES, heat, percent, share_of
from plugins.report.html.pictures import differs, worst
from plugins.report.table import HEADER, line

HERE = Path(__file__).parent
LEFT_OUT = ("id", "reasons", "layers", "policy_search")  # said elsewhere on the page, or long with pictures of their own
DIGITS = 4  # of a figure in the page; report.json has all
CELLS_OF_A_PICTURE = 5
CHOSEN = ("--model", "--pretrained", "--dataset", "--golden")  # options of a run without which its cells are others


def page(report: Report, before: Report | None = None, pictures: Mapping[str, str] | None = None) -> str:
    """The HTML text. `before`: an earlier report; the page begins with what changed since. `pictures`: data URIs by image."""
    import jinja2
    import vl_convert

    rows = report["cells"]
    loader = jinja2.FileSystemLoader(HERE)
    template = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True).get_template(
        "page.jinja"
    )
    columns, lines = heat(rows)
    chosen = _chosen(report["run"]["command"])
    drawn, script = charts(rows), (HERE / "page.js").read_text(encoding="utf-8")
    return template.render(
        answer=answer(rows),
        run=report["run"],
        model=report.get("model", {}),
        changes=None if before is None else changes(before, report),
        since=before and before["run"],
        columns=columns,
        lines=lines,
        figures=FIGURES,
        marks={mark: verdict for verdict, mark in MARKS.items()},
        charts={name: sentence for name, (sentence, _) in drawn.items()},
        worst=_worst(rows, pictures or {}),
        comparisons=[found for row in rows for found in _comparisons(row)],
        failed=[row for row in rows if row["verdict"] == "fail"],
        declared=grouped([(reason, row) for row in rows for reason in row.get("reasons", {})]),
        not_judged=grouped([(reason, row) for row in rows for reason in row.get("not_judged", [])]),
        skipped=grouped([(row["reason"], row) for row in rows if row["verdict"] == "skipped"]),
        environment=_flat(report["environment"]),
        head=HEADER,
        cells=[(row["id"], row["verdict"], line(row)[1:]) for row in rows],
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=vl_convert.javascript_bundle(script) if drawn else script,
        data=_embedded(
            {"cells": {row["id"]: _short(row, chosen) for row in rows}, "charts": [spec for _, spec in drawn.values()]}
        ),
    )


def _worst(rows: Sequence[Row], pictures: Mapping[str, str]) -> list[dict[str, Any]]:
    """The worst images: the name, the picture, some cells with their drift, and answers that differ from golden's."""
    answers = {row["worst_answer"]["image"]: row["worst_answer"] | {"id": row["id"]} for row in reversed(rows) if differs(row)}
    return [
        {
            "image": name,
            "uri": pictures.get(name),
            "cells": [(row["id"], percent(share_of(row, "image"))) for row in cells[:CELLS_OF_A_PICTURE]],
            "more": len(cells) - CELLS_OF_A_PICTURE,
            "answer": answers.get(name),
        }
        for name, cells in worst(rows).items()
    ]


def _comparisons(row: Row) -> list[list[str]]:
    """Each tower's comparison with a stored run or another version: what was found, and what would have been seen."""
    found = []
    for tower in TOWERS:
        history, other = row.get("latency_ratio", {}).get(tower, {}), row.get("against", {}).get("latency", {}).get(tower)
        if change := history.get("change"):
            allowed, seen = history.get("allowed_slowdown"), history.get("would_have_seen")
            found.append([row["id"], tower, "stored run", history["verdict"], _change(change), _signed(allowed), _signed(seen)])
        if other:
            low, high = other["interval"]
            change = {"ratio": other["ratio"], "low": low, "high": high}
            seen = other.get("would_have_seen")
            found.append(
                [row["id"], tower, "other version", other["verdict"], _change(change), _signed(other["allowed"]), _signed(seen)]
            )
    return found


def _change(change: Mapping[str, float]) -> str:
    return f"{change['ratio'] - 1:+.1%} [{change['low'] - 1:+.1%}, {change['high'] - 1:+.1%}]"


def _signed(share: float | None) -> str:
    return "-" if share is None else f"{share:+.1%}"


def _flat(found: Mapping[str, Any], path: str = "") -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for key, value in found.items():
        if isinstance(value, dict):
            lines += _flat(value, f"{path}{key} ")
        else:
            lines.append((f"{path}{key}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return lines


def _chosen(command: str) -> list[str]:
    """The run's own options of CHOSEN, as they were typed."""
    try:
        typed = shlex.split(command)
    except ValueError:  # of an earlier version, which did not quote
        typed = command.split()
    return [
        shlex.quote(arg if "=" in arg else f"{arg}={value}")
        for arg, value in zip(typed, [*typed[1:], ""], strict=True)
        if arg.partition("=")[0] in CHOSEN
    ]


def _short(row: Row, chosen: Sequence[str]) -> Row:
    own = [f"--{key}={row[key]}" for key in ("backend", "precision", "preprocessor", "device") if key in row]
    return {"again": " ".join(["pytest", *chosen, *own])} | {key: row[key] for key in row if key not in LEFT_OUT}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _embedded(data: Any) -> str:
    """JSON that ends no script element, whatever it says."""
    return json.dumps(_rounded(data), ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
