"""`python -m suites.studies.storage` (make storage): what forms of storage lose, and which encoders may share an index."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.capability import installed
from fixtures.models import DEFAULT
from fixtures.progress import ProgressLine
from plugins.command_line.program import Parser, code_of
from plugins.measures.storage.registry import forms
from plugins.subjects import Subjects
from suites.studies import evidence
from suites.studies.picture import written
from suites.studies.quiet import quiet
from suites.studies.storage import page, plot
from suites.studies.storage.apart import K, Reference
from suites.studies.storage.forms import Measured
from suites.studies.storage.indexes import Index, measured
from suites.studies.storage.pictures import beside_pictures
from suites.studies.storage.subjects import FULL, QUICK, Scale, searched
from suites.studies.storage.with_faiss import INDEXES
from suites.studies.storage.with_qdrant import Qdrant

TARGET = ROOT / "golden" / "evidence" / "storage.json"
LIBRARIES: tuple[Index, ...] = (*INDEXES, Qdrant())


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Of the study."""
    parser = Parser(prog="python -m suites.studies.storage", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 items and two cells beside golden; writes no evidence")
    parser.add_argument("--redraw", action="store_true", help="measure nothing: page and picture of the evidence that is there")
    return parser.parse_args(arguments)


@quiet()
def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything is measured or has its reason, 4 for bad input."""
    wanted = options(arguments)
    return code_of(lambda: _study(wanted), "nothing was written")


def _study(wanted: argparse.Namespace) -> int:
    if wanted.redraw:
        return show(json.loads(TARGET.read_text(encoding="utf-8")), TARGET)
    found = measure(Subjects(), QUICK if wanted.quick else FULL, with_pictures=not wanted.quick)
    if wanted.quick:
        print(page.markdown(found))
        return 0
    return show(found, TARGET)


def measure(subjects: Subjects, scale: Scale, with_pictures: bool) -> dict[str, Any]:
    """All figures of the page."""
    started, worked, line = time.monotonic(), time.process_time(), ProgressLine("storage")
    found = searched(subjects, scale)
    line.step("exact search")
    reference = Reference(found)
    rows = []
    for name, form in forms().items():
        line.step(f"{name} with every pair of cells")
        rows.append(Measured(form, found, reference).as_json())
    libraries = []
    for index in LIBRARIES:
        line.step(index.name)
        libraries.append(measured(index, found, reference))
    line.step("beside pictures")
    beside = beside_pictures(subjects, found) if with_pictures else {"left_out": "--quick compares with no pictures"}
    line.finish()
    return {
        "schema": 1,
        "command": "make storage" if scale is FULL else "make storage ARGS=--quick",
        **evidence.stamp(),
        "versions": {name: version for name in ("faiss-cpu", "qdrant-client") if (version := installed(name))},
        "model": {"name": DEFAULT, "weights_sha256": subjects.model.weights_sha256, "width": subjects.model.embed_dim},
        "gallery": {"items": len(found.gallery.rows), "scenes": len(found.gallery.scenes), "queries": len(found.gold), "k": K},
        "cells": [reference.drift(cell) for cell in found.vectors],
        "skipped": found.skipped,
        "forms": [{**row, "bytes": forms()[row["form"]].bytes_of(subjects.model.embed_dim)} for row in rows],
        "indexes": libraries,
        "pictures": beside,
        "seconds": time.monotonic() - started,
        "processor_s": time.process_time() - worked,
    }


def show(found: dict[str, Any], target: Path) -> int:
    """Write the evidence, its page and its picture; without matplotlib no picture, and a line that says so."""
    evidence.write(target, found, page.markdown(found))
    written(lambda: plot.svg(found), target.with_suffix(".svg"), "python -m suites.studies.storage --redraw")
    print(f"written: {target.relative_to(target.parents[2])}, measured in {found['seconds']:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
