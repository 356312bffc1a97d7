"""`python -m suites.studies.canary` (make canary): a canary beside faults that are drawn at random, and clean starts.

An interrupted campaign goes on where it was: each row is kept as it ends, by commit.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.progress import ProgressLine
from fixtures.storage.cache import ROOT as CACHE
from fixtures.storage.lines import Lines
from plugins.command_line.program import Parser, code_of
from plugins.subjects import Subjects
from suites.studies import evidence
from suites.studies.canary import page, starts
from suites.studies.canary.faults import Faults, fresh, known
from suites.studies.processors.kinds import Kind

TARGET = ROOT / "golden" / "evidence" / "canary.json"


def options(arguments: list[str] | None) -> argparse.Namespace:
    """The campaign's."""
    parser = Parser(prog="python -m suites.studies.canary", description=__doc__)
    parser.add_argument("--draws", type=int, help="of golden/evidence/mutants.json, from its first [all]")
    parser.add_argument("--fresh", type=int, default=150, help="draws of a seed of its own (default: %(default)s)")
    parser.add_argument("--starts", type=int, default=6, help="clean ones of each encoder and processor (default: %(default)s)")
    some = "of clean starts: this one and those that it can play, by name (default: all)"
    parser.add_argument("--processors", default="", metavar="NAME,NAME", help=some)
    parser.add_argument("--evidence", action="store_true", help="write golden/evidence/canary.json and .md")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """0 without a false alarm, 1 with one, 4 for bad input."""
    wanted = options(arguments)
    return code_of(lambda: _study(wanted), "the same command goes on where it was")


def _study(wanted: argparse.Namespace) -> int:
    stamp = evidence.stamp()
    kept = Lines(CACHE / "canary" / f"{stamp['commit']}.jsonl")
    draws = "" if wanted.draws is None else f"--draws {wanted.draws} "
    some = f"--processors {wanted.processors} " if wanted.processors else ""
    command = f"make canary ARGS='{draws}--fresh {wanted.fresh} --starts {wanted.starts} {some}--evidence'"
    chosen = starts.processors(wanted.processors) if wanted.starts else []
    found = {"schema": 2, "command": command, **stamp, **_faults(wanted, kept), "starts": _starts(chosen, wanted.starts, kept)}
    print(page.markdown(found))
    if wanted.evidence:
        evidence.write(TARGET, found, page.markdown(found))
    return int(any(row["alarms"] and not row["declared"] for row in found["starts"]))


def _faults(wanted: argparse.Namespace, kept: Lines) -> dict[str, Any]:
    """Rows of the faults that the suite finds, rows of fresh ones, and how many calls the check makes in each way."""
    done = {str(line["draw"]): line for line in kept.read() if "draw" in line}
    subjects, line = Subjects(), ProgressLine("faults")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as place:
        faults = Faults(subjects, Path(place))
        found["calls"] = faults.calls()
        for part, draws in (("faults", known(wanted.draws)), ("fresh", fresh(subjects, wanted.fresh))):
            found[part] = []
            for one in draws:
                if str(asdict(one)) not in done:
                    row = {"draw": asdict(one), "text": str(one), "seen": faults.seen(one)}
                    done[str(asdict(one))] = row
                    kept.append(row)
                found[part].append(done[str(asdict(one))])
                line.step(f"{len(found[part])} {part}")
    line.finish()
    return found


def _starts(chosen: Sequence[Kind], count: int, kept: Lines) -> list[dict[str, Any]]:
    """Rows of these processors."""
    found, line = list[dict[str, Any]](), ProgressLine("clean starts")
    for kind in chosen:
        line.step(f"on {kind.name}")
        rows = [row for row in kept.read() if row.get("processor") == kind.name and row["starts"] in (0, count)]
        if not rows:
            rows = starts.on(kind, count)
            for row in rows:
                kept.append(row)
        found += rows
    line.finish()
    return found


if __name__ == "__main__":
    sys.exit(main())
