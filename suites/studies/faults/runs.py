"""Faults that are not in a cell but around it: weights, tokens, history, and runs that compare nothing."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fixtures import ROOT

ANSWER_S = 1800  # a bound against hanging: a slow processor takes its time over a group of faults
LATENCY = ("-p", "suites.studies.faults.slow", "--backend=slow")
HISTORY = "suites/latency/test_history.py"


@dataclass(frozen=True)
class Finding:
    """Whether the run noticed the fault, by which check, and with which message."""

    caught: bool
    by: str
    says: str


@dataclass(frozen=True)
class Session:
    """A fault and the run that must notice it; `strengths` as in Fault."""

    number: int
    name: str
    strengths: Mapping[str, str]
    run: Callable[[Path, str], Finding]  # an empty folder, the strength
    must: int = 99


def inner(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest at the root, to its end."""
    command = [sys.executable, "-m", "pytest", f"--report={folder}/report.json", *arguments]
    variables = {**os.environ, **environment, "COLUMNS": "250"}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=ANSWER_S, check=False)


def _line(done: subprocess.CompletedProcess[str], pattern: str) -> str:
    return next(
        (
            line.strip(" !=").removeprefix("_pytest.outcomes.Exit: ")
            for line in (done.stdout + done.stderr).splitlines()
            if re.search(pattern, line)
        ),
        "",
    )


def _slower_precision(folder: Path, strength: str) -> Finding:
    test = (
        "suites/latency/test_history.py",
        "--precision=fp16",
        "--strict-claims",
        f"--benchmark-storage=file://{folder}/history",
    )
    says = _line(inner(folder, *LATENCY, *test, EXTRA=strength), "^slower than fp32: ")
    return Finding(bool(says), "the claim of its name", says)


def _first_run(folder: Path, strength: str) -> Finding:
    inner(folder, *LATENCY, "suites/latency/test_latency.py::test_encode", "--precision=fp32", EXTRA=strength)
    row = json.loads((folder / "report.json").read_text())["cells"][0]["latency_ms"]["image"]
    apart = row["first_call"] > 400 > 2 * row["p99"]
    return Finding(apart, "L1's warm-up", f"first call {row['first_call']:.0f} ms, p99 {row['p99']:.1f} ms")


def _regression(folder: Path, strength: str) -> Finding:
    test = (
        "suites/latency/test_history.py",
        "--precision=fp32",
        f"--benchmark-storage=file://{folder}/history",
        "--benchmark-compare",
    )
    inner(folder, *LATENCY, *test, EXTRA="0.0")
    done = inner(folder, *LATENCY, *test, EXTRA=strength)
    return Finding("L4 broken" in done.stdout, "L4", _line(done, "^slower: ") or _line(done, " passed| failed"))


def _other(what: str) -> Callable[[Path, str], Finding]:
    """A model whose weights or tokens are not those of golden."""

    def run(folder: Path, strength: str) -> Finding:
        test = (
            "-p",
            "suites.studies.faults.otherwise",
            "suites/embeddings/test_encoder.py",
            "--backend=torch-eager",
            "--precision=fp32",
        )
        done = inner(folder, *test, "--benchmark-disable", OTHERWISE=f"{what}:{strength}")
        says = _line(done, "are not those that")
        return Finding(done.returncode == 4 and bool(says), "golden's manifest", says)

    return run


def _vacuous(folder: Path, strength: str) -> Finding:
    done = inner(folder, f"--benchmark-storage=file://{folder}/history", *VACUOUS[strength], PLANT="absent")
    return Finding(
        done.returncode != 0,
        f"exit code {done.returncode}",
        _line(done, "no tests ran|is not installed|compared nothing|not compared|no baseline|deselected"),
    )


VACUOUS: dict[str, Sequence[str]] = {
    "nothing selected": ("suites/embeddings", "-k", "no_such_test"),
    "everything skipped": ("-p", "suites.selftest.planted.misdeclared_backends", "suites/embeddings", "--backend=absent"),
    "no baseline": (
        "suites/latency/test_history.py",
        "--backend=torch-eager",
        "--precision=fp32",
        "--benchmark-compare",
        "--strict-cells",
    ),
    "a compare that measures nothing": ("suites/preprocessing", "--preprocessor=original_clip", "--benchmark-compare"),
}
SESSIONS = (
    Session(6, "slower-than-fp32", {"3 times": "2.0", "1.5 times": "0.5", "1.1 times": "0.1"}, _slower_precision, must=2),
    Session(10, "first-run-counted", {"0.5 s": "first"}, _first_run),
    Session(11, "latency-regression", {f"{p} %": str(p / 100) for p in (100, 20, 10, 2)}, _regression, must=2),
    Session(23, "golden-of-other-weights", {"one value by one bit": "1"}, _other("weights")),
    Session(31, "another-tokeniser", {"one token of one text": "1"}, _other("tokens")),
    Session(36, "compared-nothing", {name: name for name in VACUOUS}, _vacuous),
)  # fmt: skip
