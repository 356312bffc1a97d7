"""`python -m suites.studies.versions_tried` (make versions): writes golden/evidence/versions.*; goes on where it was."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.errors import BadInput
from fixtures.machine.devices import processor
from fixtures.progress import say
from fixtures.storage.cache import ROOT as CACHE
from fixtures.storage.lines import Lines
from plugins.command_line.program import Parser, code_of
from plugins.run import environment
from suites.studies import evidence
from suites.studies.versions_tried import page
from suites.studies.versions_tried.combinations import Combination, combinations
from suites.studies.versions_tried.trial import interpreter, trial

TARGET = ROOT / "golden" / "evidence" / "versions.json"
PLACE = CACHE / "versions"


def options(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m suites.studies.versions_tried", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="combinations whose name contains it, as torch2.11")
    parser.add_argument("--again", action="store_true", help="try again what an interrupted run of this commit has tried")
    parser.add_argument("--python", action="append", default=[], metavar="3.12=PATH", help="one that is not on the path")
    found = parser.parse_args(arguments)
    for pair in found.python:
        if "=" not in pair:
            parser.error(f"--python {pair}: expected a version and a path, as 3.12=/usr/bin/python3.12")
    return found


def main(arguments: list[str] | None = None) -> int:
    """0 if all that were tried work, 1 if one does not, 4 for bad input; rows that were not asked for stay as they are."""
    wanted = options(arguments)
    return code_of(lambda: _study(wanted), "the same command goes on where it was")


def _study(wanted: argparse.Namespace) -> int:
    chosen = [one for one in combinations() if wanted.only in one.name]
    if not chosen:
        names = ", ".join(one.name for one in combinations())
        raise BadInput(f"no combination is called '{wanted.only}', expected a part of {names}")
    rows: dict[str, Any] = {row["name"]: row for row in (json.loads(TARGET.read_text())["rows"] if TARGET.exists() else [])}
    kept = Lines(PLACE / f"tried-{environment.commit()}.jsonl")
    before = {} if wanted.again else tried(kept)
    pythons = dict(pair.split("=", 1) for pair in wanted.python)
    for one in chosen:
        rows[one.name] = _row(one, interpreter(one.python, pythons), kept, before.get(one.name, {}))
    order = [one.name for one in combinations()]
    found = {"schema": 1, "command": "make versions", "rows": [rows[name] for name in order if name in rows]}
    evidence.write(TARGET, found, page.markdown(found))
    print(page.markdown(found))
    return 0 if all(page.works(rows[one.name]) for one in chosen) else 1


def tried(kept: Lines) -> dict[str, Any]:
    """The last row of each combination that an interrupted run has tried, or begun to try, by name."""
    return {line["name"]: line for line in kept.read() if "reason" not in line}


def _row(one: Combination, python: Path | None, kept: Lines, before: dict[str, Any]) -> dict[str, Any]:
    """Try it, and keep what there is after each check: an hour's work must not hang on the last minute."""
    if before.get("whole"):
        return before
    say(f"{one.name}: {'installing and checking' if python else 'no such Python'}")
    row = {
        "name": one.name,
        "python": one.python,
        "asked": dict(one.pins),
        "commit": environment.commit(),
        "date": environment.now(),
        "cpu": processor("model name"),
    }
    for found in trial(one, python, PLACE / one.name, before):
        row |= found
        kept.append(row)
        say(f"{one.name}: {page.progress(row)}")
    return row


if __name__ == "__main__":
    sys.exit(main())
