"""`python -m suites.studies.peers` (make peers): seconds and figures of four tools on the same cells, in rounds.

When it is interrupted, the same command goes on where it was.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fixtures import ROOT
from fixtures.errors import Unavailable
from fixtures.progress import say
from fixtures.storage.cache import ROOT as CACHE
from fixtures.storage.lines import Lines
from plugins.command_line.program import Parser, code_of
from plugins.run import environment
from suites.studies import evidence
from suites.studies.peers import page
from suites.studies.peers.models import prepare
from suites.studies.peers.tools import CELLS, OURS, PEERS, TOOLS, WARM_UPS, Measured, counts, measure, run, versions

T = TypeVar("T")
TARGET = ROOT / "golden" / "evidence" / "peers.json"


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Of the measurement."""
    parser = Parser(prog="python -m suites.studies.peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="in which all tools take turns (default: %(default)s)")
    parser.add_argument("--evidence", action="store_true", help="write golden/evidence/peers.json and .md")
    found = parser.parse_args(arguments)
    if found.rounds < 1:
        parser.error(f"found {found.rounds} rounds, expected one or more")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything is measured, 4 without the peers' environment; whether figures agree is for the page to say."""
    wanted = options(arguments)
    return code_of(lambda: _study(wanted), "the same command goes on where it was")


def _study(wanted: argparse.Namespace) -> int:
    if not (PEERS / "polygraphy").exists():
        raise Unavailable(f"{PEERS.parent} has no Polygraphy: make peers sets it up")
    kept = Lines(CACHE / "peers" / f"{environment.commit()}.jsonl")
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as folder:
        place = Path(folder)
        prepare(place / "models")
        rows = [row for number in range(wanted.rounds) for row in _round(number, wanted.rounds, place, kept)]
        steps = {cell: _steps(cell, place) for cell in CELLS}
    found: dict[str, Any] = {
        "schema": 1,
        "command": f"make peers ARGS='--rounds {wanted.rounds} --evidence'",
        **evidence.stamp(),
        "versions": versions(),
        "warm_ups": WARM_UPS,
        "measured": rows,
        "breakdown": steps,
    }
    print(page.markdown(found))
    if wanted.evidence:
        evidence.write(TARGET, found, page.markdown(found))
    kept.path.unlink(missing_ok=True)
    return 0


def _round(number: int, rounds: int, place: Path, kept: Lines) -> Iterator[Measured]:
    """Every cell alone, then all in one command; what is kept is not measured again."""
    known = {(line["round"], *line["cells"]): line["rows"] for line in kept.read()}
    for cells in (*([cell] for cell in turned(CELLS, number)), list(CELLS)):
        if (number, *cells) not in known:
            rows = _side_by_side(number, cells, place)
            kept.append({"round": number, "cells": cells, "rows": rows})
            known[number, *cells] = rows
            say(f"round {number + 1} of {rounds}: {', '.join(cells)} done")
        yield from known[number, *cells]


def _side_by_side(number: int, cells: Sequence[str], place: Path) -> list[Measured]:
    """Ours is first, because it decides how many calls are timed; the peers' order turns from round to round."""
    models, own = place / "models", place / str(number) / "+".join(cells)
    mine = measure(OURS, cells, {}, models, own / OURS.name, number)
    able = [tool for tool in TOOLS if tool is not OURS and not any(cell in tool.cannot for cell in cells)]
    asked = counts(mine["found"])
    return [mine, *(measure(tool, cells, asked, models, own / tool.name, number) for tool in turned(able, number))]


def turned(listed: Sequence[T], by: int) -> list[T]:
    """The same in another order: one that begins with another."""
    first = by % len(listed)
    return [*listed[first:], *listed[:first]]


def _steps(cell: str, place: Path) -> dict[str, float]:
    """Seconds of each step of one run of ours, unsupervised."""
    out = place / f"{cell}.json"
    arguments = [*OURS.arguments([cell]), f"--report={place}/steps-{cell}.json"]
    run([sys.executable, "-m", "suites.studies.peers.breakdown", str(out), *arguments], ROOT, os.environ)
    found: dict[str, float] = json.loads(out.read_text())
    return found


if __name__ == "__main__":
    sys.exit(main())
