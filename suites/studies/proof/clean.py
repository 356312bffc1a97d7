"""Clean runs: the accuracy suites over good cells, each under other conditions of the machine; every one must pass."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fixtures import ROOT
from fixtures.machine.devices import cores
from fixtures.registry import backends, preprocessors
from fixtures.storage.cache import ROOT as CACHE
from fixtures.storage.lines import Lines
from plugins.run import environment

ENCODERS = ("suites/preprocessing", "suites/embeddings/test_encoder.py")
WHOLE = ("suites/preprocessing", "suites/embeddings", "suites/retrieval")  # every image and every ranking too: one run of FIFTH
FIFTH = 5
THREADS = (1, 2)
# Processors that can be played: instruction sets of oneDNN (torch's products) and of ATen's kernels; "" is the best there is.
# Both together: with one at its best and the other not, torch 2.15 stops, as on no real machine ("pack_vnni2 is only supported
# when avx512 is supported").
PROCESSORS = (("", ""), ("AVX2", "avx2"), ("SSE41", "default"))
SHARES = (0.4, 0.4, 0.2)  # the last emulates what it lacks, and is slow
# openvino looks at the real one too: played as the last it stops ("bad combination"), as any it offers bf16 and then has none.
CANNOT_PLAY = {"openvino": PROCESSORS[2:], "openvino bf16": PROCESSORS[1:]}
LIMIT_S = 1200


@dataclass(frozen=True)
class Conditions:
    """What one run is under."""

    seed: int  # of the order and the size of batches
    backend: str
    precision: str
    preprocessor: str
    whole: bool
    threads: int
    onednn: str
    aten: str


def plan(runs: int, seed: int, available: Sequence[tuple[str, str]]) -> list[Conditions]:
    """Backends at each precision and preprocessors in turn, so that each comes equally often; the rest at random."""
    rng = np.random.default_rng(seed)
    names = list(preprocessors())
    found = []
    for i in range(runs):
        processor = PROCESSORS[rng.choice(len(PROCESSORS), p=SHARES)]
        backend, precision = available[i % len(available)]
        cannot = CANNOT_PLAY.get(f"{backend} {precision}", CANNOT_PLAY.get(backend, ()))
        onednn, aten = [one for one in PROCESSORS if one not in cannot][-1] if processor in cannot else processor
        name, threads = names[i % len(names)], THREADS[i % len(THREADS)]
        found.append(Conditions(seed + i, backend, precision, name, not i % FIFTH, threads, onednn, aten))
    return found


def installed() -> list[tuple[str, str]]:
    """Backends whose packages are here, at each of their precisions."""
    from fixtures.errors import Unavailable

    found = []
    for name, backend in backends().items():
        try:
            backend.available("cpu")
        except Unavailable:
            continue
        found += [(name, precision) for precision in backend.precisions if backend.offers(precision, "cpu")]
    return found


def run(under: Conditions) -> dict[str, Any]:
    """One run's verdicts; `clean` is exit code 0, `skipped` a cell that there is not under these conditions."""
    forced = {"ONEDNN_MAX_CPU_ISA": under.onednn, "ATEN_CPU_CAPABILITY": under.aten}
    variables = {**os.environ, **{name: value for name, value in forced.items() if value}}
    # Each processor has its own: of another one's kernels torch 2.15's cache is as glad, and they give NaN.
    compiled = CACHE / "proof" / f"compiled-{under.aten or 'as-it-is'}"
    variables |= {"OMP_NUM_THREADS": str(under.threads), "SHUFFLE": str(under.seed), "TORCHINDUCTOR_CACHE_DIR": str(compiled)}
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as folder:
        report = Path(folder) / "report.json"
        suites = WHOLE if under.whole else ENCODERS
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "suites.studies.proof.shuffled",
            *suites,
            "--benchmark-disable",
            "--whole",
            "--device=cpu",
            f"--backend={under.backend}",
            f"--precision={under.precision}",
            f"--preprocessor={under.preprocessor}",
            f"--report={report}",
        ]
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        cells = json.loads(report.read_text())["cells"] if report.exists() else []
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    verdicts = [cell["verdict"] for cell in cells]
    return {
        **asdict(under),
        "exit": done.returncode,
        "cells": len(cells),
        "seconds": round(time.monotonic() - started, 1),
        "verdicts": {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))},
        "failed": failed,
        "clean": done.returncode == 0,
        "skipped": set(verdicts) == {"skipped"},  # a processor may lack a precision
        "commit": environment.commit(),
    }


def runs(wanted: Sequence[Conditions], kept: Lines, told: Callable[[Any], Any]) -> list[dict[str, Any]]:
    """All of them: those of one thread side by side, those of more alone, because they would only wait for one another.

    What was run before by an interrupted command is in `kept` and not run again.
    """
    done = {Conditions(**{field: line[field] for field in Conditions.__dataclass_fields__}): line for line in kept.read()}

    def one(under: Conditions) -> dict[str, Any]:
        if under not in done:
            found = run(under)
            kept.append(found)
            done[under] = found
        return dict(told(done[under]))

    with ThreadPoolExecutor(max(1, cores())) as several:
        found = list(several.map(one, [under for under in wanted if under.threads == 1]))
    return found + [one(under) for under in wanted if under.threads > 1]
