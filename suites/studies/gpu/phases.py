"""The phases of the record, in the order of their worth, and how one runs: within its time, whatever becomes of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fixtures import ROOT

ENCODER = ("suites/embeddings", "suites/latency/test_latency.py", "-k", "not test_preprocess")
ALTERNATION = ("suites/latency/test_history.py",)
REFERENCE = ("--preprocessor=original_clip",)
COMPILED = "torch-compile"
LARGE = ("ViT-B-32", "ViT-L-14")
FEW_SCENES = 6  # of the data set for large models, whose golden data are made on the CPU
SLOWER = "0.02"  # what is planted on the device for the gate
FAILS, PASSES, PLANTED = "fails", "passes", "the planted cell fails, the other one passes"


@dataclass(frozen=True)
class Phase:
    """A command of its own: what it is for, how long it may take, and what it must end with (None: whatever it finds)."""

    name: str
    arguments: Sequence[str]
    limit_s: float
    must: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


def plan(device: str, out: Path, data: Path, golden: Path, quick: bool) -> list[Phase]:
    """All phases. `quick` leaves out large models, for a rehearsal; `data` is the folder of the small data set.

    Tolerances of the device are added to the golden data in the folder `golden`.
    """
    pytest, on = ("-m", "pytest"), (f"--device={device}", f"--benchmark-storage=file://{out}/history")
    planted = ("-p", "suites.studies.gpu.planted", *REFERENCE)
    one = ("--backend=torch-eager", "--precision=fp32", *REFERENCE)
    gate = (
        *pytest,
        *ALTERNATION,
        *planted,
        "--backend=slow-on-device",
        "--latency-budget=2",
        *on,
        "--benchmark-compare",
        "--allow-inconclusive",
    )
    some = (*one, "-k", "test_form or test_encode") if quick else ("-k", f"not {COMPILED}")
    phases = [
        Phase("environment", (*pytest, "--environment"), 30),  # which backends cannot work there is what it finds
        Phase("default model", (*pytest, *ENCODER[:2], *REFERENCE, *some, *on), 180),
        Phase(
            "roofline",
            ("-m", "suites.studies.gpu.roofline", f"--device={device}", *(["--models=1", "--small"] if quick else [])),
            90,
        ),
        Phase("gate, stored", gate, 80, PASSES),
        Phase("gate, again", gate, 80, PASSES),
        Phase("gate, 2 % slower", gate, 80, None, {"EXTRA": SLOWER}),
        *_faults(pytest, planted, on),
        *(_tolerances(pytest, golden, on, some) if device != "cpu" else ()),
    ]
    if not quick:
        phases += [Phase("compiled", (*pytest, *ENCODER, *REFERENCE, f"--backend={COMPILED}", *on), 180)]
        phases += [phase for name in LARGE for phase in _large(name, pytest, out, data, on)]
    return phases


def _faults(pytest: Sequence[str], planted: Sequence[str], on: Sequence[str]) -> Iterator[Phase]:
    test = "suites/embeddings/test_encoder.py::test_form"
    for name in ("out-of-memory", "device-assert"):
        chosen = (f"--backend={name},torch-eager", "--precision=fp32")
        yield Phase(name, (*pytest, test, *planted, *chosen, *on, "--benchmark-disable"), 60, PLANTED)


def _tolerances(pytest: Sequence[str], golden: Path, on: Sequence[str], some: Sequence[str]) -> Iterator[Phase]:
    """The CPU's judge all phases before; how they differ from the device's own, and which cells are judged otherwise then."""
    derived = f"--golden={golden}"
    yield Phase("tolerances of the device", (*pytest, "--update-golden", derived, *on), 180, FAILS)  # as each update ends
    cells = (*pytest, "suites/embeddings/test_encoder.py", *REFERENCE, *some, derived, *on)
    yield Phase("default model, by its own tolerances", cells, 90)


def _large(name: str, pytest: Sequence[str], out: Path, data: Path, on: Sequence[str]) -> Iterator[Phase]:
    model = (f"--model={name}", "--pretrained=random:0", f"--dataset={data}", f"--golden={out}/golden")
    yield Phase(f"{name}, golden data", (*pytest, *model, "--update-golden"), 150, FAILS)  # as each update ends
    suites = ("suites/embeddings/test_encoder.py", "suites/latency/test_latency.py", *ALTERNATION)
    wanted = ("-k", "test_direction or test_precision or test_encode")
    backends = "--backend=torch-eager,torch-autocast,onnxruntime,torch-compile"
    yield Phase(name, (*pytest, *suites, *wanted, backends, *REFERENCE, *model, *on), 240)


def run(phase: Phase, out: Path, left_s: float) -> dict[str, Any]:
    """The phase's row: how it ended, in how many seconds, and the cells of its report. Output goes to a file of its name."""
    if left_s < 1:
        return {"phase": phase.name, "ended": "not run: no time left", "as_it_must": phase.must is None, "cells": []}
    stem = out / phase.name.replace(" ", "-").replace(",", "").replace("%", "percent")
    place = f"--report={stem}.json" if "pytest" in phase.arguments else f"--out={stem}.json"
    command, limit = [sys.executable, *phase.arguments, place], min(phase.limit_s, left_s)
    started = time.monotonic()
    with stem.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **phase.variables}, stdout=log, stderr=subprocess.STDOUT, process_group=0
        )
        try:
            code: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = None
    ended = f"exit code {code}" if code is not None else f"stopped after {limit:.0f} s"
    found = json.loads(stem.with_suffix(".json").read_text()) if stem.with_suffix(".json").exists() else {}
    cells: list[dict[str, Any]] = found.get("cells", [])
    verdicts = {row["backend"]: row["verdict"] for row in cells}
    planted = verdicts == {phase.name: "fail", "torch-eager": "pass"}
    right = {None: True, PASSES: code == 0, FAILS: code == 1, PLANTED: planted}[phase.must]  # bad input and crashes have others
    return {
        "phase": phase.name,
        "command": " ".join(["python", *phase.arguments]).replace(str(out), "OUT"),
        "ended": ended,
        "as_it_must": right,
        "seconds": round(time.monotonic() - started, 1),
        "cells": cells,
        **{key: found[key] for key in ("rates", "rows") if key in found},
    }
