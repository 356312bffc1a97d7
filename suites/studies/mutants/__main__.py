"""`python -m suites.studies.mutants` (make mutants): draws faults from the grammar and says which of them the suite finds.

An interrupted campaign goes on where it was: each row is kept as it ends, by commit and seed.
"""

import argparse
import json
import os
import sys

from fixtures import ROOT
from fixtures.errors import BadInput
from fixtures.progress import ProgressLine
from fixtures.storage.cache import ROOT as CACHE
from fixtures.storage.lines import Lines
from plugins.command_line.program import Parser, code_of
from plugins.run import environment
from suites.studies import evidence
from suites.studies.mutants import page, runs
from suites.studies.mutants.grammar import Draw, draw
from suites.studies.mutants.mutant import Mutant

TARGET = ROOT / "golden" / "evidence" / "mutants.json"
DRAWS, SOUND = 1000, 20


def options(arguments: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """The campaign's own, and what goes on to pytest."""
    parser = Parser(prog="python -m suites.studies.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the campaign (default: %(default)s)")
    parser.add_argument("--precision", choices=Mutant.precisions, default="fp32", help="of the encoder (default: %(default)s)")
    parser.add_argument("--draws", type=int, default=DRAWS, help="how many (default: %(default)s)")
    parser.add_argument("--sound", type=int, default=SOUND, help="runs without a fault, against alarms (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at once (default: the processors)")
    parser.add_argument("--number", type=int, help="only this draw: print what the suite says of it")
    parser.add_argument("--evidence", action="store_true", help="write golden/evidence/mutants.json and .md")
    return parser.parse_known_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """0 if every drawn fault that changes an output is found and no sound encoder is blamed, 1 if not, 4 for bad input."""
    wanted, more = options(arguments)
    return code_of(lambda: _study(wanted, more), "the same command goes on where it was")


def _study(wanted: argparse.Namespace, more: list[str]) -> int:
    precision = wanted.precision
    if wanted.number is not None:
        rows = list(runs.every([draw(wanted.seed, wanted.number)], precision, 1, more))
        print(json.dumps(rows[0], indent=1))
        return 0 if rows[0]["broken"] or not page.is_fault(rows[0], precision) else 1
    if more:
        raise BadInput(f"{' '.join(more)}: expected with --number alone, because shares are those of all tests")
    rows = measure(wanted.seed, precision, wanted.draws, wanted.sound, wanted.jobs)
    print(page.text(rows, precision))
    if wanted.evidence:
        asked = f"--precision {precision} --seed {wanted.seed} --draws {wanted.draws} --sound {wanted.sound}"
        part = {"command": f'make mutants ARGS="{asked} --evidence"', **evidence.stamp(), "rows": [_kept(row) for row in rows]}
        before = json.loads(TARGET.read_text(encoding="utf-8"))["precisions"] if TARGET.exists() else {}
        found = {"schema": 1, "precisions": {**before, precision: part}}
        evidence.write(TARGET, found, page.whole(found))
    real = [row for row in rows if row["draw"] is None or page.is_fault(row, precision)]
    return 0 if all(bool(row["broken"]) == (row["draw"] is not None) for row in real) else 1


def _kept(row: runs.Row) -> runs.Row:
    """A row of the evidence: the promises without their messages, which `--number` shows again."""
    return {**row, "broken": list(row["broken"])}


def measure(seed: int, precision: str, draws: int, sound: int, jobs: int) -> list[runs.Row]:
    """All rows, those of an interrupted campaign of the same commit first."""
    journal = Lines(CACHE / "mutants" / f"{environment.commit()}-{precision}-seed{seed}.jsonl")
    rows = journal.read()
    done = {row["draw"]["number"] for row in rows if row["draw"]}
    ended = {row["text"] for row in rows}
    waiting: list[Draw | int] = [draw(seed, number) for number in range(draws) if number not in done]
    waiting += [number for number in range(sound) if f"sound, seed {number}" not in ended]
    line = ProgressLine("mutants")
    for row in runs.every(waiting, precision, jobs):
        rows.append(row)
        journal.append(row)
        line.step(f"{len(rows)} of {draws + sound}, {sum(bool(r['broken']) for r in rows)} found")
    line.finish()
    return sorted(rows, key=lambda row: row["draw"]["number"] if row["draw"] else -1)


if __name__ == "__main__":
    sys.exit(main())
