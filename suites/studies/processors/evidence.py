"""golden/evidence/processors.json: rows by processor and encoder; a run replaces its own and keeps all others."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.storage.cache import ROOT as CACHE
from fixtures.storage.locks import locked
from suites.studies import evidence
from suites.studies.processors import page

TARGET = ROOT / "golden" / "evidence" / "processors.json"
COMMAND = "make processors"
Row = dict[str, Any]


def read(target: Path = TARGET) -> dict[str, Any]:
    """What is there, or nothing yet."""
    if target.exists():
        found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
        return found
    return {"schema": 1, "command": COMMAND, "processors": {}, "rows": []}


def done(found: dict[str, Any], column: str, backend: str, commit: str, selection: str) -> bool:
    """True if the backend's rows of that processor were measured at this very commit: an interrupted command left them.

    What could not be played is tried again: something may have been installed.
    """
    rows = [row for row in found["rows"] if row["processor"] == column and row["backend"] == backend]
    same = all(row["commit"] == commit and row["selection"] == selection for row in rows)
    return bool(rows) and same and not any(row["reason"].startswith("not ") for row in rows)


def merged(found: dict[str, Any], rows: Sequence[Row], about: dict[str, Any]) -> dict[str, Any]:
    """`rows`, all of one processor and backend, in the place of what was known of these; all else stays."""
    own = {(row["processor"], row["backend"]) for row in rows}
    kept = [row for row in found["rows"] if (row["processor"], row["backend"]) not in own]
    everything = sorted([*kept, *rows], key=lambda row: (row["encoder"], row["processor"]))
    processors = {**found["processors"], **{row["processor"]: about for row in rows}}
    return {**found, "processors": processors, "rows": everything}


def add(rows: Sequence[Row], about: dict[str, Any], target: Path = TARGET) -> dict[str, Any]:
    """Merge and write, both files whole; another command may be writing too."""
    lock = CACHE / "processors" / "evidence.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with locked(lock):
        found = merged(read(target), rows, about)
        evidence.write(target, found, page.markdown(found))
    return found
