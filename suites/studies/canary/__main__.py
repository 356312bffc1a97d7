"""`python -m suites.studies.canary` (make canary): a canary beside the mutants that the suite finds, and clean starts."""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.capability import TOWERS
from fixtures.cells import EncoderKey
from fixtures.progress import ProgressLine
from fixtures.truth import REFERENCE
from plugins.canary.check import check
from plugins.canary.kit import write
from plugins.cells.given_back import CannotRun
from plugins.golden.verified import Golden, load_golden
from plugins.subjects import Subjects
from suites.studies import evidence
from suites.studies.canary import page
from suites.studies.canary.service import functions
from suites.studies.mutants.grammar import Draw
from suites.studies.mutants.mutant import mutated
from suites.studies.proof.clean import installed

MUTANTS, TARGET = (ROOT / "golden" / "evidence" / name for name in ("mutants.json", "canary.json"))
PRECISION = "fp32"  # of the mutants


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The campaign's."""
    parser = argparse.ArgumentParser(prog="python -m suites.studies.canary", description=__doc__)
    parser.add_argument("--draws", type=int, help="of golden/evidence/mutants.json, from its first [all]")
    parser.add_argument("--starts", type=int, default=5, help="clean ones of each encoder (default: %(default)s)")
    parser.add_argument("--evidence", action="store_true", help="write golden/evidence/canary.json and .md")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 without a false alarm, 1 with one."""
    wanted = options(arguments)
    subjects = Subjects()
    golden = load_golden(subjects)
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as place:
        rows = list(_faults(subjects, golden, Path(place), wanted.draws))
        starts = list(_starts(subjects, golden, Path(place), wanted.starts))
    found = {
        "schema": 1,
        "command": f"make canary ARGS='{_typed(wanted)}--evidence'",
        **evidence.stamp(),
        "faults": rows,
        "starts": starts,
    }
    print(page.markdown(found))
    if wanted.evidence:
        evidence.write(TARGET, found, page.markdown(found))
    return int(any(row["alarms"] for row in starts))


def _typed(wanted: argparse.Namespace) -> str:
    draws = "" if wanted.draws is None else f"--draws {wanted.draws} "
    return f"{draws}--starts {wanted.starts} "


def _faults(subjects: Subjects, golden: Golden, place: Path, draws: int | None) -> Iterator[dict[str, Any]]:
    """Of the faults that the whole suite finds: does the canary, asked one by one, and asked in lists too?"""
    part = json.loads(MUTANTS.read_text(encoding="utf-8"))["precisions"][PRECISION]
    known = [row for row in part["rows"] if row["draw"] and row["broken"]][:draws]
    write(subjects, golden, PRECISION, REFERENCE, place / "kit")
    line = ProgressLine("faults")
    for number, row in enumerate(known, 1):
        seen = []
        for many in (False, True):
            faulty = mutated(subjects.model, PRECISION, "cpu", Draw(**row["draw"]))
            image, text, images, texts = functions(subjects.model, faulty)
            verdict = check(image, text, images, texts, place / "kit") if many else check(image, text, folder=place / "kit")
            seen.append(not verdict)
        line.step(f"{number} of {len(known)}")
        yield {"draw": row["draw"], "text": row["text"], "one by one": seen[0], "in lists too": seen[1]}
    line.finish()


def _starts(subjects: Subjects, golden: Golden, place: Path, starts: int) -> Iterator[dict[str, Any]]:
    """Sound encoders, each with a kit of its precision."""
    line, encoders = ProgressLine("clean starts"), installed() if starts else []
    for number, (backend, precision) in enumerate(encoders, 1):
        key, folder = EncoderKey(subjects.model_id, backend, precision, "cpu"), place / precision
        if not folder.exists():
            write(subjects, golden, precision, REFERENCE, folder)
        try:
            encoder = subjects.encoder(key).encoder
        except CannotRun:  # a precision that this processor lacks
            continue
        verdicts = [check(*functions(subjects.model, encoder), folder) for _ in range(starts)]
        alarms = [str(verdict) for verdict in verdicts if not verdict]
        known = any("E2" in key.known_failures(tower) for tower in TOWERS)
        line.step(f"{number} of {len(encoders)}")
        yield {"encoder": str(key), "starts": starts, "declared": known, "alarms": [] if known else alarms, "said": alarms[:1]}
    subjects.end()
    line.finish()


if __name__ == "__main__":
    sys.exit(main())
