"""`python -m suites.studies.gate_power`: two functions in one process; a full length writes evidence and the table in docs."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.storage.atomic import write_text
from fixtures.storage.cache import ROOT as CACHE
from plugins.command_line.program import Parser, code_of
from suites.studies.gate_power.campaign import measure
from suites.studies.gate_power.ending import say
from suites.studies.gate_power.page import fill, markdown
from suites.studies.gate_power.plot import svg
from suites.studies.picture import written

TRIALS, SECONDS = 100, 2.0  # make evidence; a shorter look stays in the cache
NAME = "gate-power"


def options(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m suites.studies.gate_power", description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS, help="of each slowdown and condition (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="that each side may measure (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all random orders (default: %(default)s)")
    parser.add_argument("--redraw", action="store_true", help="measure nothing: plot and table of the evidence that is there")
    found = parser.parse_args(arguments)
    if found.trials < 1 or found.seconds <= 0:
        parser.error(f"found {found.trials} trials of {found.seconds:g} s, expected one or more of more than 0 s")
    return found


def main(arguments: list[str] | None = None) -> int:
    """0 if every goal is reached, 1 if one is missed, 4 if the journal does not fit, 130 if interrupted."""
    wanted = options(arguments)
    as_evidence = wanted.trials >= TRIALS and wanted.seconds >= SECONDS
    folder = ROOT / "golden" / "evidence" if as_evidence or wanted.redraw else CACHE / NAME
    journal = CACHE / NAME / f"{wanted.seconds:g}s-seed{wanted.seed}.jsonl"
    target = folder / f"{NAME}.json"

    def study() -> int:
        if not wanted.redraw:
            found = measure(journal, wanted.trials, wanted.seconds, wanted.seed)
            write_text(target, json.dumps(found, indent=1) + "\n")
        return show(json.loads(target.read_text(encoding="utf-8")), folder, as_evidence or wanted.redraw)

    return code_of(study, f"{journal} holds what was measured: the same command goes on from there")


def show(found: dict[str, Any], folder: Path, as_evidence: bool) -> int:
    """Table, plot, goals; 1 if a goal is missed."""
    table = markdown(found)
    print(table)
    if as_evidence:
        fill(ROOT / "docs" / "how-good-is-the-gate.md", table)
    written(lambda: svg(found), folder / f"{NAME}.svg", "python -m suites.studies.gate_power --redraw")
    return say(found["goals"], lambda goal: f"{goal['found']:.4g}", folder / f"{NAME}.json")


if __name__ == "__main__":
    sys.exit(main())
