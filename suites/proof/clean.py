"""Clean runs: the accuracy suites over good cells, each under other conditions of the machine; every one must pass."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fixtures.devices import cores
from fixtures.registry import backends, preprocessors

ROOT = Path(__file__).parent.parent.parent
SUITES = ("suites/preprocessing", "suites/embeddings", "suites/retrieval")
THREADS = (1, 2)
# What may be forced: oneDNN's (products of torch in all precisions) and ATen's own kernels; "" leaves the best there is.
ONEDNN = ("", "AVX2", "SSE41")
ATEN = ("", "avx2", "default")
LIMIT_S = 1200


@dataclass(frozen=True)
class Conditions:
    """What one run is under."""

    seed: int  # of the order and the size of batches
    backend: str
    preprocessor: str
    threads: int
    onednn: str
    aten: str


def plan(runs: int, seed: int, available: Sequence[str]) -> list[Conditions]:
    """Backends and preprocessors in turn, so that each comes equally often; the rest at random."""
    rng = np.random.default_rng(seed)
    names = list(preprocessors())
    return [
        Conditions(
            seed=seed + i, backend=available[i % len(available)], preprocessor=names[i % len(names)], threads=THREADS[i % 2],
            onednn=str(rng.choice(ONEDNN)), aten=str(rng.choice(ATEN)),
        )
        for i in range(runs)
    ]  # fmt: skip


def installed() -> list[str]:
    """Backends whose packages are here."""
    from fixtures.errors import Unavailable

    found = []
    for name, backend in backends().items():
        try:
            backend.available("cpu")
        except Unavailable:
            continue
        if "cpu" in backend.devices:
            found.append(name)
    return found


def run(under: Conditions) -> dict[str, Any]:
    """One run's verdicts; `clean` is exit code 0 with at least one cell that ran."""
    forced = {"ONEDNN_MAX_CPU_ISA": under.onednn, "ATEN_CPU_CAPABILITY": under.aten}
    environment = {**os.environ, **{name: value for name, value in forced.items() if value}}
    environment |= {"OMP_NUM_THREADS": str(under.threads), "SHUFFLE": str(under.seed)}
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", "-p", "suites.proof.shuffled", *SUITES,
                   "--benchmark-disable", "--device=cpu",
                   f"--backend={under.backend}", f"--preprocessor={under.preprocessor}", f"--report={report}"]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        cells = json.loads(report.read_text())["cells"] if report.exists() else []
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    verdicts = [cell["verdict"] for cell in cells]
    return {
        **asdict(under), "exit": done.returncode, "cells": len(cells), "seconds": round(time.monotonic() - started, 1),
        "verdicts": {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))}, "failed": failed,
        "clean": done.returncode == 0 and any(verdict != "skipped" for verdict in verdicts),
    }  # fmt: skip


def runs(wanted: Sequence[Conditions], told: Any) -> list[dict[str, Any]]:
    """All of them: those of one thread side by side, those of more alone, because they would only wait for one another."""
    with ThreadPoolExecutor(max(1, cores())) as several:
        found = [told(one) for one in several.map(run, [under for under in wanted if under.threads == 1])]
    return found + [told(run(under)) for under in wanted if under.threads > 1]
