"""The page golden/evidence/policies.md."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from plugins.report.layout import table
from suites.studies.policies.nodes import CASTS, MOVES
from suites.studies.policies.tools import TOOLS

Figures = Mapping[str, Any]
TITLE = "# Precision policies beside other tools"
WHAT = """\
Each tool is given the same fp32 ONNX file, our own export of one tower, and the same inputs: those that drift most when
everything is in fp16. A tool that takes a budget of drift is given the same one: half of what everything in fp16 drifts, of the
worst input. A search may take {limit:.0f} s. Inputs and outputs of a file stay fp32."""
COUNTED = """\
**Nodes** are those of floating-point arithmetic, by the type of their result. Not counted are casts ({casts}), which have a
column, and what only moves or makes values ({moves})."""
JUDGED = """\
**Drift** is the cosine distance to golden (torch eager, fp32, one input a call), in float64: median, 99th percentile, largest.
It is computed as a processor with fp16 arithmetic does: an fp16 node computes in fp32, as tensor cores add products up, and its
result is rounded to fp16 (`suites/studies/policies/rounding.py`). onnxruntime's CPU provider has no fp16 products for x86: it
stores fp16, computes in fp32, and leaves out roundings in between. The column "on this CPU" has the largest drift there, which
says little about a GPU. For the same reason p50 says what casts cost here, not what fp16 gains."""
OURS = """\
**Ours** is `find_policy`, the search of `make drift` and `pytest suites/drift`, over the same graph in the judge's way.
Its file is what a cell of `--precision policy:FILE` runs. It is asked for a policy within the budget, and, where that answer
is not as good, within three quarters of the tool's largest drift. It keeps modules, each of them one node or several."""
REACHED = """\
Ours is as good as a tool where one of our files has at most as many fp32 nodes, and its drift is at most the tool's: the median
ratio over the inputs, with its 95 % interval, is below 1 or cannot be told from it. Which way single values round is chance: it
moves the largest drift by a tenth, so that two files with the same nodes in fp16 differ in it."""
FILE = ("file", "in fp32", "in fp16", "casts", "median, p99, largest drift", "on this CPU", "p50, ms", "of fp32's", "seconds")


def markdown(found: Figures) -> str:
    """All tables."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    parts = [
        TITLE,
        f"`{found['command']}`. The tools' environment: {versions}.",
        WHAT.format(limit=found["limit_s"]),
        COUNTED.format(casts=", ".join(CASTS), moves=", ".join(sorted(MOVES))),
        JUDGED,
        OURS,
        "\n".join(f"- **{name}**: {tool.what}" for name, tool in TOOLS.items()),
        "## Are ours as good?",
        REACHED,
        *(summary(model) for model in found["models"]),
        *([f"Not measured yet: {', '.join(found['missing'])}."] if found["missing"] else []),
        *(part for model in found["models"] for part in _model(model)),
    ]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def summary(model: Figures) -> str:
    """Each tool's file and the best of ours beside it."""
    drift = "drift: median, largest"
    head = (
        "model",
        "tower",
        "tool",
        "fp32 nodes",
        drift,
        "seconds",
        "ours",
        "fp32 nodes",
        drift,
        "seconds",
        "ratio",
        "as good",
    )
    return table(head, (row for tower in model["towers"] for row in _beside(model["model"], tower)))


def _beside(model: str, tower: Figures) -> Iterator[tuple[str, ...]]:
    rows, answers = ({each["tool"]: each for each in tower[key]} for key in ("rows", "answers"))
    for tool in TOOLS:
        row, found = rows[tool], answers.get(tool, {})
        if "failed" in row:
            yield (model, tower["tower"], tool, row["failed"], *("–",) * 8)
        elif "ours" in found:
            ratio = f"{found['ratio']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"
            yield model, tower["tower"], tool, *_size(row), found["ours"], *_size(rows[found["ours"]]), ratio, "yes"
        else:
            yield model, tower["tower"], tool, *_size(row), "none", *("–",) * 4, "**no**"


def _size(row: Figures) -> tuple[str, str, str]:
    return str(row["fp32_nodes"]), f"{row['drift']['median']:.2e}, {row['drift']['max']:.2e}", f"{row['seconds']:.0f}"


def _model(model: Figures) -> Iterator[str]:
    here = model["environment"]
    yield f"## {model['model']}"
    yield (
        f"{model['parameters'] / 1e6:.0f} million parameters; {model['date'][:10]}, commit {model['commit']}, {here['cpu']}, "
        f"{here['cores']} cores."
    )
    for tower in model["towers"]:
        yield (
            f"### The {tower['tower']} tower\n\nJudged on {tower['inputs']} inputs; the tools are given {tower['tried']}. "
            f"Budget: {tower['budget']:.2e}."
        )
        yield table(FILE, map(_row, tower["rows"]))
        yield "\n".join(_details(tower["rows"]))


def _row(row: Figures) -> tuple[str, ...]:
    if "failed" in row:
        return row["tool"], row["failed"], *("–",) * 7
    nodes, drift, time = row["nodes"], row["drift"], row["latency"]
    spread = ", ".join(f"{drift[key]:.2e}" for key in ("median", "p99", "max"))
    ratio = f"{time['ratio']:.2f} [{time['low']:.2f}, {time['high']:.2f}]"
    counts = (str(row["fp32_nodes"]), str(nodes["fp16"]), str(nodes["casts"]))
    spent = (f"{time['p50_ms']:.2f}", ratio, f"{row['seconds']:.0f}")
    return row["tool"], *counts, spread, f"{row['drift_on_cpu']['max']:.2e}", *spent


def _details(rows: Iterable[Figures]) -> Iterator[str]:
    """What is in fp32, for the files that have any."""
    for row in rows:
        if row.get("fp32_nodes"):
            kinds = ", ".join(f"{count} {kind}" for kind, count in row["nodes"]["fp32"].items())
            paths = f" ({', '.join(f'`{path}`' for path in row['kept'])})" if row.get("kept") else ""
            yield f"- {row['tool']}: {kinds}{paths}"
