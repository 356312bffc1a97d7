"""One inner run: a backend's encoders on a kind of processor, as rows of the evidence."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.capability import Tower
from fixtures.errors import Unavailable
from fixtures.machine import devices
from fixtures.storage.cache import ROOT as CACHE
from plugins.report import form
from plugins.run import environment
from suites.studies.processors import emulated
from suites.studies.processors.kinds import Kind

LIMIT_S = 3 * 3600
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # verdicts under other numbers are `make proof`'s
# An emulated run leaves out what asks nothing of the processor's arithmetic: 8 equal calls, and threads.
SUITES: dict[str, Sequence[str]] = {
    "real": (),
    "switches": (),
    "emulated": ("suites/embeddings", "-k", "not test_repeat and not test_threads"),
}
Row = dict[str, Any]
ON_GOLDEN_INPUTS: dict[Tower, form.Compared] = {"image": "image_encoder", "text": "text"}


def run(kind: Kind, backend: str, selection: Sequence[str]) -> list[Row]:
    """A row for each precision; `selection` are the options that choose its data."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as name:
        folder, report = Path(name), Path(name) / "report.json"
        try:
            variables = conditions(kind, folder)
        except Unavailable as reason:
            return [told(backend, str(reason))]
        command = [
            sys.executable,
            "-m",
            "pytest",
            *SUITES[kind.how],
            "--benchmark-disable",
            "--device=cpu",
            f"--backend={backend}",
            "--preprocessor=original_clip",
            *selection,
            f"--report={report}",
        ]
        if kind.how == "emulated":
            command += ["-p", "suites.studies.processors.far", "--unsupervised"]
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        if not report.exists():
            return [told(backend, f"not run: {emulated.last_line(done.stderr + done.stdout)}")]
        found = json.loads(report.read_text(encoding="utf-8"))
    about = {"seconds": round(time.monotonic() - started, 1), "environment": found["environment"]}
    return [{**row_of(cell), **about} for cell in found["cells"]]


def conditions(kind: Kind, folder: Path) -> dict[str, str]:
    """The environment of an inner run: nothing forced but what the kind forces."""
    left = {name: value for name, value in os.environ.items() if name not in devices.FORCED}
    # Each processor has its own: torch 2.15's cache gives one the kernels of another, and they stop it or give NaN.
    compiled = CACHE / "processors" / f"compiled-{kind.name.replace(' ', '').replace('+', '-')}"
    played = emulated.variables(kind, folder) if kind.how == "emulated" else kind.variables
    return {**left, **THREADS, "TORCHINDUCTOR_CACHE_DIR": str(compiled), **played}


def row_of(cell: form.Row) -> Row:
    """What the evidence keeps of a row of report.json."""
    drift, seen = cell.get("drift", {}), cell.get("evidence", {}).get("image")
    shares = {
        tower: {
            "share": drift[key]["share_of_tolerance"],
            "largest": drift[key]["cosine_distance"]["max"],
            "input": drift[key]["worst_input"],
        }
        for tower, key in ON_GOLDEN_INPUTS.items()
        if key in drift
    }
    return {
        "encoder": f"{cell['backend']}-{cell['precision']}",
        "verdict": cell["verdict"],
        "reason": cell["reason"][:400],
        "broken": cell["broken_promises"],
        "declared": cell.get("reasons", {}),
        "drift": shares,
        "ran": seen.get("how", "") if seen else "",
    }


def told(backend: str, why: str) -> Row:
    """The one row of a backend that could not run at all."""
    return {"encoder": backend, "verdict": "skipped", "reason": why, "broken": [], "declared": {}, "drift": {}, "ran": ""}


def stamped(rows: Sequence[Row], column: str, selection: str, commit: str) -> list[Row]:
    """The same with where, on what, at which commit and when."""
    date = environment.now()
    return [{"processor": column, "selection": selection, **row, "commit": commit, "date": date} for row in rows]
