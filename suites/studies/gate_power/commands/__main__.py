"""`python -m suites.studies.gate_power.commands` (make gate-power): measures the gate as users run it, and prints.

When it is interrupted or its hours are over, the same command goes on where it was.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.errors import BadInput
from fixtures.storage.atomic import write_text
from fixtures.storage.cache import ROOT as CACHE
from plugins.command_line.program import Parser, code_of
from suites.studies.gate_power.__main__ import TRIALS
from suites.studies.gate_power.commands.campaign import code, measure
from suites.studies.gate_power.commands.outcome import Unexpected
from suites.studies.gate_power.commands.page import BEGIN, END, PICTURE, doubts, markdown
from suites.studies.gate_power.commands.plot import svg
from suites.studies.gate_power.commands.rows import QUICK, ROWS, chosen
from suites.studies.gate_power.ending import say
from suites.studies.gate_power.page import fill, share
from suites.studies.picture import written

NAME = "gate-power-commands"
QUICK_HOURS = 9 / 60  # what is left of 10 minutes is for the end


def options(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m suites.studies.gate_power.commands", description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS, help="of each row (default: %(default)s)")
    parser.add_argument("--hours", type=float, help="begin no trial that would end later")
    text = f"only rows whose COMMAND/MACHINE/CELL/PLANT fits, as in '{ROWS[0].id}' or 'compare*/neighbour/*' (repeatable)"
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help=text)
    parser.add_argument("--quick", action="store_true", help="10 minutes: few trials of the rows that tell most; no evidence")
    parser.add_argument("--seed", type=int, default=0, help="of all random orders (default: %(default)s)")
    parser.add_argument("--redraw", action="store_true", help="measure nothing: plot and table of the evidence that is there")
    found = parser.parse_args(arguments)
    if found.trials < 1 or (found.hours is not None and found.hours <= 0):
        parser.error(f"found {found.trials} trials and {found.hours} hours, expected one or more, and more than 0")
    if found.quick:
        found.hours, found.only = found.hours or QUICK_HOURS, found.only or [*QUICK]
    found.rows = chosen(found.only)
    if not found.rows:
        parser.error(f"no row fits {' or '.join(found.only)}, expected a pattern such as '{ROWS[0].id}'")
    return found


def main(arguments: list[str] | None = None) -> int:
    """0 if every goal is reached, 1 if one is missed, 4 if a command ended as none may, 130 if interrupted."""
    started, wanted = time.monotonic(), options(arguments)
    as_evidence = wanted.redraw or (not wanted.quick and (wanted.trials >= TRIALS or wanted.hours is not None))
    place = CACHE / NAME / f"{'quick-' if wanted.quick else ''}{code()}-seed{wanted.seed}"
    folder = ROOT / "golden" / "evidence" if as_evidence else place
    target = folder / f"{NAME}.json"

    def study() -> int:
        if not wanted.redraw:
            ends = started + 3600 * (wanted.hours or float("inf"))
            found = measure(place, wanted.rows, wanted.trials, wanted.seed, ends)
            if not found["rates"]:
                raise BadInput("no trial was finished: expected more hours, or fewer cells to calibrate (see --only)")
            write_text(target, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        return show(json.loads(target.read_text(encoding="utf-8")), folder, as_evidence)

    return code_of(study, f"{place} holds what was measured: the same command goes on from there", Unexpected)


def show(found: dict[str, Any], folder: Path, as_evidence: bool) -> int:
    """Table, plot, goals; 1 if a goal is missed."""
    table = markdown(found)
    print(table)
    if as_evidence:
        fill(ROOT / "docs" / "how-good-is-the-gate.md", table, BEGIN, END, PICTURE)
    written(lambda: svg(found), folder / f"{NAME}.svg", "python -m suites.studies.gate_power.commands --redraw")
    for doubt in doubts(found):
        print(doubt, file=sys.stderr)

    def counted(goal: Mapping[str, Any]) -> str:
        return f"{share(dict(goal))} of {goal['trials']} in {goal['hours']:.1f} hours"

    return say(found["goals"], counted, folder / f"{NAME}.json")


if __name__ == "__main__":
    sys.exit(main())
