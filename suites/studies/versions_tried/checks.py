"""What is run in each environment: a small part of every kind of work that the suite does, as a user would start it."""

import os
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.storage.cache import ROOT as CACHE

LIMIT_S = 2400
FAILURES = 10  # of one check, kept with what they say
ENCODERS = "torch-eager,onnxruntime,transformers"
# All promises of four encoders and two preprocessors; from file to vector and recall with one encoder.
CHOSEN = "not (bf16 and transformers) and (test_encoder or test_pixels or torch-eager-fp32)"
HISTORY = ("suites/latency/test_history.py", "--device=cpu", "--backend=onnxruntime", "--precision=fp32")
# Those that look deepest into pytest: what is collected and imported, how a run is ended, a plug-in's own rows.
SELFTESTS = (
    "suites/selftest/plugins/test_collection.py::test_nothing_heavy_is_imported",
    "suites/selftest/plugins/test_bad_input.py",
    "suites/selftest/fixtures/test_build_warnings.py",
)


@dataclass(frozen=True)
class Check:
    """One run of pytest."""

    name: str
    arguments: Sequence[str]
    threads: str = ""  # OMP_NUM_THREADS


def checks(storage: Path) -> tuple[Check, ...]:
    """In order; `storage` is a new folder for stored runs."""
    stored = f"--benchmark-storage=file://{storage}"
    accuracy = (
        "suites/preprocessing",
        "suites/embeddings",
        "suites/retrieval",
        "--device=cpu",
        f"--backend={ENCODERS}",
        "--precision=fp32,bf16,int8",
        "--preprocessor=original_clip,opencv-cubic",
        "-k",
        CHOSEN,
    )
    compiled = ("suites/embeddings/test_encoder.py", "--device=cpu", "--backend=torch-compile", "--precision=fp32")
    return (
        Check("collection", ("--collect-only",)),
        Check("latency, stored", (*HISTORY, "--benchmark-autosave", stored)),
        Check("latency, compared", (*HISTORY, "--benchmark-compare", "--allow-inconclusive", stored)),
        Check("accuracy", (*accuracy, "--benchmark-disable")),
        Check("compiled", (*compiled, "--benchmark-disable")),
        Check("selftests", (*SELFTESTS, "--benchmark-disable"), threads="1"),
    )


def run(check: Check, python: Path, folder: Path) -> dict[str, Any]:
    """Counts by outcome, the exit code, seconds, and the first failures; builds go to a cache in `folder`."""
    started = time.monotonic()
    variables = {**os.environ, "COLUMNS": "240", "CLIP_CONFORMANCE_CACHE": str(folder / "cache")}
    variables |= {"OMP_NUM_THREADS": check.threads} if check.threads else {}
    command = [str(python), "-m", "pytest", "-q", "-rfE", f"--report={folder}/{check.name}.json", *check.arguments]
    try:
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        code, said = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        code, said = -1, f"FAILED {check.name} - it ran longer than {LIMIT_S} s"
    found = {"exit": code, "seconds": round(time.monotonic() - started), **counts(said)}
    return {**found, **({"failures": failures(said, folder)} if code else {})}


def counts(said: str) -> dict[str, int]:
    """pytest's last line: "3 passed, 1 xfailed in 2.00s" or "2022 tests collected in 1.5s"."""
    last = next((line for line in reversed(said.splitlines()) if re.search(r"\d+ .* in [\d.:]+s", line)), "")
    return {what: int(number) for number, what in re.findall(r"(\d+) (?:tests? )?([a-z]+)(?:,| in)", last)}


def failures(said: str, folder: Path) -> list[str]:
    """The lines of pytest's summary, or else the last line; without this machine's paths."""
    lines = said.splitlines()
    found = [line for line in lines if line.startswith(("FAILED", "ERROR"))] or [line for line in lines if line.strip()][-1:]
    return [scrubbed(line, folder) for line in found[:FAILURES]]


def scrubbed(text: str, folder: Path) -> str:
    """Without the paths and hosts of this machine, and not longer than a line."""
    for path, instead in ((folder, "…"), (CACHE, ".cache"), (ROOT, ".")):
        text = text.replace(str(path), instead)
    return re.sub(r"(\w+://|(?<![\w.…])/(?:home|root|tmp|opt|work|usr|var)/)\S+", "…", text)[:400]
