"""`python -m suites.studies.serving` (make serving): indexing, the serving note's claims, many clients, probabilities.

Writes golden/evidence/serving.json, .md and .svg. When it is interrupted, the same command goes on where it was.
"""

import argparse
import hashlib
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.cell_names import short
from fixtures.datasets import DEFAULT as DATASET
from fixtures.models import DEFAULT as MODEL
from fixtures.progress import ProgressLine
from fixtures.storage.cache import ROOT as CACHE
from plugins.command_line.program import Parser, code_of
from plugins.golden.verified import load_golden
from plugins.report.layout import columns
from plugins.run import environment
from plugins.subjects import Subjects
from suites.studies import evidence
from suites.studies.gate_power.load import Load
from suites.studies.picture import written
from suites.studies.quiet import quiet
from suites.studies.serving import page, plot, probabilities
from suites.studies.serving.choice import DEFAULT, MORE, QUICK, chosen
from suites.studies.serving.page_tables import LOAD, equal_rows, load_rows, steady_rows
from suites.studies.serving.run import FULL, SECTIONS, Kept, Run
from suites.studies.serving.run import QUICK as QUICK_EFFORT

COMMAND = "make serving"


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Of the measurement."""
    parser = Parser(prog="python -m suites.studies.serving", description=__doc__)
    parser.add_argument("-q", "--quick", action="store_true", help="a minute: fewer cells, batch sizes, clients and processes")
    parser.add_argument(
        "-c",
        "--cells",
        default="",
        metavar="A,B",
        help="BACKEND-PRECISION-PREPROCESSOR-DEVICE, the end of which may be left out, services by name, or module:Class "
        f"(default: {','.join(DEFAULT)})",
    )
    parser.add_argument("-o", "--only", default="", metavar="A,B", help=f"some of {', '.join(SECTIONS)}")
    parser.add_argument("--on-time", type=float, default=100.0, metavar="MS", help="goodput's limit (default: %(default)g)")
    parser.add_argument("--device", default="cpu", help="of the claims (default: %(default)s)")
    parser.add_argument("--model", default=MODEL, help="as pytest's option (default: %(default)s)")
    parser.add_argument("--pretrained", default="", help="as pytest's option")
    parser.add_argument("--dataset", type=Path, default=DATASET, help="as pytest's option")
    parser.add_argument("--golden", type=Path, default=ROOT / "golden", help="as pytest's option; what is found goes there too")
    found = parser.parse_args(arguments)
    found.only = [name for name in found.only.split(",") if name] or [*SECTIONS]
    if unknown := [name for name in found.only if name not in SECTIONS]:
        parser.error(f"unknown part '{unknown[0]}', expected some of {', '.join(SECTIONS)}")
    if not 0 < found.on_time < float("inf"):
        parser.error(f"found --on-time {found.on_time:g}, expected milliseconds such as 100")
    return found


@quiet()
def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every vector is right, 1 if an index holds wrong ones, a probability is off or a cell fails, 4 for bad input."""
    typed, wanted = [*(sys.argv[1:] if arguments is None else arguments)], options(arguments)
    line = ProgressLine("serving")

    def study() -> int:
        return show(measured(wanted, typed, line), wanted.golden / "evidence" / "serving.json")

    try:
        return code_of(study, "the same command goes on where it was")
    finally:
        line.finish()


def measured(wanted: argparse.Namespace, typed: Sequence[str], line: ProgressLine) -> dict[str, Any]:
    """All figures; raises BadInput for an unknown cell, model or data set."""
    started, machine = time.monotonic(), Load()
    subjects = Subjects(wanted.model, wanted.pretrained, wanted.dataset, wanted.golden)
    names = wanted.cells.split(",") if wanted.cells else [*(QUICK if wanted.quick else DEFAULT)]
    keys = chosen(names, subjects.model_id)
    more = [] if wanted.cells or wanted.quick else chosen(MORE, subjects.model_id)
    line.step("reading golden data")
    golden, kept = load_golden(subjects), Kept(CACHE / "serving" / f"{environment.commit()}-{_digest(typed)}.jsonl")
    effort = QUICK_EFFORT if wanted.quick else FULL
    run = Run(subjects, golden, effort, wanted.on_time, wanted.device, kept, line.step)
    own = [section for section in wanted.only if section != "claims"]
    for key in keys:
        run.of_subject(key, own)
    for key in more:
        run.of_subject(key, [section for section in own if section == "probabilities"])
    subjects.end()
    found: dict[str, Any] = {
        "schema": 1,
        "command": " ".join([COMMAND, *([f"ARGS='{' '.join(typed)}'"] if typed else [])]),
        **evidence.stamp(),
        "quick": wanted.quick,
        "model": {"name": subjects.model.id, "parameters": subjects.model.parameters},
        "on_time_ms": wanted.on_time,
    }
    everyone = [short(key) for key in (*keys, *more)]
    for section in own:
        found[section] = [piece for name in everyone if (piece := run.piece(section, name)) is not None]
    if found.get("probabilities"):
        asked = [question for _, _, question in probabilities.questions(subjects, golden)]
        of_cosines = asdict(subjects.model.similarity)
        found["probabilities"] = {**of_cosines, "questions": asked, "rows": found["probabilities"]}
    if "load" in found:
        found["load"] = [row for rows in found["load"] for row in rows]
    if "claims" in wanted.only:
        found["claims"] = run.claims()
    kept.forget()
    busy = machine.cores(noise=0.0)["others_cores"]
    return {**found, "left_out": run.left_out, "seconds": time.monotonic() - started, "others_cores": busy}


def _digest(typed: Sequence[str]) -> str:
    """Two runs at once share no file, unless they measure the same."""
    return hashlib.sha256("\0".join(typed).encode()).hexdigest()[:8]


def show(found: dict[str, Any], target: Path) -> int:
    """Write the evidence and print its tables; 1 if something is wrong."""
    evidence.write(target, found, page.markdown(found, _drawn(found, target.with_suffix(".svg"))))
    print("\n".join(_lines(found)))
    wrong = _wrong(found)
    print("\n".join([*wrong, f"written: {target}, {target.with_suffix('.md').name}, measured in {found['seconds']:.0f} s"]))
    return 1 if wrong else 0


def _drawn(found: dict[str, Any], picture: Path) -> str:
    """The name of the picture, or nothing where none can be drawn."""
    if not found.get("load"):
        return ""
    drawn = written(lambda: plot.svg(found["load"], found["on_time_ms"]), picture, "the same command")
    return picture.name if drawn else ""


def _lines(found: dict[str, Any]) -> list[str]:
    """Aligned tables."""
    indexing = [row for one in found.get("indexing", ()) for row in one["rows"]]
    sizes = [f"batch {size}" for size in sorted({row["batch"] for row in indexing})]
    claims = [*page.claim_rows(found["claims"]["rows"])] if "claims" in found else []
    tables: list[tuple[tuple[str, ...], list[tuple[str, ...]]]] = [
        (("ms a document", "", "from", *sizes), [*steady_rows(indexing)]),
        (("stored vectors", "", "number", "same bits", "worst share", ""), [*equal_rows(indexing)]),
        (("load", "", *LOAD), [*load_rows(found.get("load", ()))]),
        (("probabilities", *page.FAR), [*page.probability_rows((found.get("probabilities") or {}).get("rows", ()))]),
        (("left out", "part", "why"), [(one["subject"], one["section"], one["reason"]) for one in found["left_out"]]),
        (("claim, measured", "", "[95 %]", "pairs", "verdict", "by how much"), [row[2:] for row in claims]),
    ]
    lines = []
    for head, rows in tables:
        if rows:
            lines += [*columns([head, *([cell.replace("`", "").replace("*", "") for cell in row] for row in rows)]), ""]
    return lines


def _wrong(found: dict[str, Any]) -> list[str]:
    """A sentence for everything that makes the run red."""
    said = []
    for row in (row for one in found.get("indexing", ()) for row in one["rows"]):
        if row["equal"]["broken"] and not row["equal"]["declared"]:
            what = f"{row['subject']}, {row['tower']}s from {row['source']} in batches of {row['batch']}"
            said.append(f"WRONG: {what}: stored vectors are not those of single requests: {row['equal']['says']}")
    for row in (found.get("probabilities") or {}).get("rows", ()):
        if row["broken"] and not row["declared"]:
            what = f"a similarity probability is {row['share']:.3g} times as far off as is allowed"
            said.append(f"WRONG: {row['subject']}: {what}")
    for row in found.get("load", ()):
        if row["wrong"] and not row["declared"]:
            what = f"{row['subject']}, {row['tower']}s, clients: {row['clients']}"
            said.append(f"WRONG: {what}: {row['wrong']} of {row['requests']} requests got vectors beyond the tolerance")
    said += [f"FAILED: {one['subject']}, {one['section']}: {one['reason']}" for one in found["left_out"] if one["failed"]]
    return said


if __name__ == "__main__":
    sys.exit(main())
