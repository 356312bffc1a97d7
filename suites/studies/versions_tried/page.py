"""The combinations as a person reads them."""

import re
from collections.abc import Sequence
from typing import Any

from plugins.report.layout import table
from suites.studies.versions_tried.combinations import COLUMNS

Row = dict[str, Any]
WHAT = (
    "`{}` makes an environment for each from the ranges in `pyproject.toml`, runs a part of every kind of work in it "
    "(collection; all promises of torch-eager fp32 and bf16, torch-compile fp32, onnxruntime fp32 and int8, transformers fp32 "
    "and of two preprocessors; recall; a latency run stored and one compared with it; selftests), writes down what came of it "
    "and removes it. The JSON file beside this page has every installed package."
)
OUTCOMES = ("passed", "xfailed", "xpassed", "skipped", "failed", "errors", "collected")


def works(row: Row) -> bool:
    """True when every check was run and passed."""
    return bool(row.get("whole")) and not any(check["exit"] for check in row["checks"].values())


def progress(row: Row) -> str:
    """What the newest check of a row came to."""
    name, check = list(row.get("checks", {"not tried": {}}).items())[-1]
    return f"{name}: {_counts(row, name)}, {'fails' if check['exit'] else 'passes'}" if check else str(row["reason"])


def verdict(rows: Sequence[Row]) -> str:
    """How many of them work."""
    begun = sum("checks" in row and not row["whole"] for row in rows)
    interrupted = f", {begun} were interrupted: `–` stands for what was not run" if begun else ""
    return f"{sum(map(works, rows))} of {len(rows)} combinations work{interrupted}"


def problems(rows: Sequence[Row]) -> list[str]:
    """What does not work, with what it says."""
    reasons = [f"{row['name']}: not tried, {row['reason']}" for row in rows if "reason" in row]
    failed = [(row["name"], name, check) for row in rows for name, check in row.get("checks", {}).items() if check["exit"]]
    return reasons + [f"{name}: {what}: {line}" for name, what, check in failed for line in check.get("failures", [])]


def markdown(found: Row) -> str:
    """The page golden/evidence/versions.md."""
    rows = found["rows"]
    names = list(dict.fromkeys(name for row in rows for name in row.get("checks", {})))
    cells = [
        (row["python"], *(_version(row, name) for name in COLUMNS), *(_counts(row, name) for name in names), _verdict(row))
        for row in rows
    ]
    lines = [
        "# The versions that were tried",
        "",
        f"{verdict(rows)}. {WHAT.format(found['command'])}",
        "",
        table(("python", *COLUMNS, *names, "verdict"), cells),
        *(f"- {_made(row)}" for row in rows if "checks" in row),
    ]
    lines += [f"- PROBLEM: {problem}" for problem in problems(rows)]
    for warning in sorted({line for row in rows for line in row.get("warnings", [])}):
        where = ", ".join(row["name"] for row in rows if warning in row.get("warnings", []))
        lines.append(f"- noted in the report while encoders were built ({where}): {warning}")
    return "\n".join([*lines, ""])


def _verdict(row: Row) -> str:
    if "checks" not in row:
        return "not tried"
    if any(check["exit"] for check in row["checks"].values()):
        return "FAILS"
    return "works" if row["whole"] else "interrupted"


def _version(row: Row, name: str) -> str:
    key = re.sub(r"[-_.]+", "-", name).lower()
    return str(row.get("packages", {}).get(key) or row["asked"].get(name, "newest"))


def _counts(row: Row, name: str) -> str:
    check = row.get("checks", {}).get(name)
    return ", ".join(f"{check[what]} {what}" for what in OUTCOMES if check.get(what)) if check else "–"


def _made(row: Row) -> str:
    seconds = sum(check["seconds"] for check in row["checks"].values())
    return f"{row['name']}: {row['date'][:10]}, commit {row['commit']}, {row['cpu']}, checked in {seconds} s"
