"""Runs the suite over all planted faults, and records for each strength what caught it."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fixtures.errors import BadInput
from fixtures.progress import ProgressLine
from suites.studies.faults import runs
from suites.studies.faults.plants import Fault, Kind
from suites.studies.faults.runs import SESSIONS, Finding, Session
from suites.studies.faults.table import PLANTED

Row = dict[str, Any]
ENCODER = ("suites/embeddings/test_encoder.py", "suites/embeddings/test_calls.py::test_threads")
SUITES: dict[Kind, Sequence[str]] = {
    "encoder": (*ENCODER, "--device=cpu"),
    "cuda encoder": (*ENCODER, "--device=cuda"),
    "preprocessor": ("suites/preprocessing",),
}
GROUP = 12  # faults planted in one run: a run that crashes loses no more than these


def planted(wanted: str, options: Sequence[str], weakest: bool = False) -> Iterator[Row]:
    """A row for each strength of each fault that is planted in a backend or a preprocessor; `weakest`: that must be caught."""
    chosen = [fault for fault in PLANTED if wanted in f"{fault.number:02d}.{fault.name}"]
    line = ProgressLine("faults")
    for kind, suites in SUITES.items():
        names = [(name, fault) for fault in chosen if fault.kind == kind for name in fault.names(weakest)]
        for start in range(0, len(names), GROUP):
            part = names[start : start + GROUP]
            line.step(f"{kind}s, {start} of {len(names)}")
            found = _run(kind, [name for name, _ in part], [*suites, *options])
            for name, fault in part:
                yield _row(name, fault, found)
    line.finish()


def _run(kind: Kind, names: Sequence[str], options: Sequence[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as folder:
        found = Path(folder) / "found.json"
        variables = {"PLANT": ",".join(names), "FOUND": str(found), **({"PRETEND_CUDA": "1"} if kind == "cuda encoder" else {})}
        select = f"--{'preprocessor' if kind == 'preprocessor' else 'backend'}={','.join(names)}"
        done = runs.inner(
            Path(folder), "-p", "suites.studies.faults.plant", select, "--benchmark-disable", *options, **variables
        )
        if not found.exists():
            raise BadInput(
                f"the run over {', '.join(names)} ended with code {done.returncode}: {(done.stdout + done.stderr)[-600:]}"
            )
        answer: dict[str, Any] = json.loads(found.read_text())
        return answer


def _row(name: str, fault: Fault, found: dict[str, Any]) -> Row:
    place = int(name.rpartition(".")[2])
    broken = found["broken"].get(name, [])
    meant = [(promise, says) for promise, says in broken if promise in fault.caught_by]
    by, says = (meant or broken or [("", "")])[0]
    return {
        "number": fault.number,
        "fault": fault.name,
        "strength": list(fault.strengths)[place],
        "must": place < fault.must,
        "meant": list(fault.caught_by),
        "caught": bool(meant),
        "by": by,
        "says": says,
        "broken": sorted({promise for promise, _ in broken}),
        "budget_used": found["used"].get(name),
    }


def sessions(wanted: str) -> Iterator[Row]:
    """A row for each strength of each fault that a complete run must notice."""
    chosen = [session for session in SESSIONS if wanted in f"{session.number:02d}.{session.name}"]
    line = ProgressLine("runs")
    for session in chosen:
        for place, (label, strength) in enumerate(session.strengths.items()):
            line.step(f"{session.name}, {label}")
            with tempfile.TemporaryDirectory(prefix="clip-conformance-") as folder:
                yield _of(session, place, label, session.run(Path(folder), strength))
    line.finish()


def _of(session: Session, place: int, label: str, found: Finding) -> Row:
    return {
        "number": session.number,
        "fault": session.name,
        "strength": label,
        "must": place < session.must,
        "meant": [found.by],
        "caught": found.caught,
        "by": found.by if found.caught else "",
        "says": found.says,
        "broken": [found.by] if found.caught else [],
        "budget_used": None,
    }
