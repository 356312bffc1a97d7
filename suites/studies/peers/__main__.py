"""`python -m suites.studies.peers` (make peers): seconds and figures of four tools on the same cells, in rounds."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fixtures import ROOT
from fixtures.progress import say
from suites.studies import evidence
from suites.studies.peers import page
from suites.studies.peers.models import prepare
from suites.studies.peers.tools import CELLS, OURS, PEERS, TOOLS, WARM_UPS, Measured, counts, measure, run, versions

T = TypeVar("T")
TARGET = ROOT / "golden" / "evidence" / "peers.json"


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Of the measurement."""
    parser = argparse.ArgumentParser(prog="python -m suites.studies.peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="in which all tools take turns (default: %(default)s)")
    parser.add_argument("--evidence", action="store_true", help="write golden/evidence/peers.json and .md")
    found = parser.parse_args(arguments)
    if found.rounds < 1:
        parser.error(f"found {found.rounds} rounds, expected one or more")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything is measured, 2 without the peers' environment; whether figures agree is for the page to say."""
    wanted = options(arguments)
    if not (PEERS / "polygraphy").exists():
        print(f"{PEERS.parent} has no Polygraphy: make peers sets it up", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as folder:
        place = Path(folder)
        prepare(place / "models")
        rows = [row for number in range(wanted.rounds) for row in _round(number, wanted.rounds, place)]
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
    return 0


def _round(number: int, rounds: int, place: Path) -> Iterator[Measured]:
    """Every cell alone, then all in one command. Ours is first, because it decides how many calls are timed; the peers' order
    and that of the cells turn from round to round."""
    peers = turned([tool for tool in TOOLS if tool is not OURS], number)
    for cells in (*([cell] for cell in turned(CELLS, number)), list(CELLS)):
        own = place / str(number) / "+".join(cells)
        mine = measure(OURS, cells, {}, place / "models", own / OURS.name, number)
        yield mine
        for tool in peers:
            if not any(cell in tool.cannot for cell in cells):
                yield measure(tool, cells, counts(mine["found"]), place / "models", own / tool.name, number)
        say(f"round {number + 1} of {rounds}: {', '.join(cells)} done")


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
