"""Runs killed at random moments while they export, make golden data or save history: nothing half-written, nothing to clean."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fixtures import ROOT
from fixtures.storage.cache import is_whole
from plugins.golden.verified import damaged, put_back
from suites.studies.few import few_scenes

LIMIT_S = 600


@dataclass(frozen=True)
class Writer:
    """A command that writes something that must never be half there."""

    name: str
    arguments: Sequence[str]
    exit: int  # of a run that nobody kills
    writes: str  # a folder within the sandbox, removed before each run so that it is written anew; "" keeps it


FORM = "suites/embeddings/test_encoder.py::test_form"
HISTORY = (
    "suites/latency/test_history.py",
    "--backend=torch-eager",
    "--precision=fp32",
    "--benchmark-compare",
    "--allow-inconclusive",
)
WRITERS = (
    Writer("golden data", ("--update-golden",), 1, ""),
    Writer("export", (FORM, "--backend=onnxruntime", "--precision=fp32", "--benchmark-disable"), 0, "cache"),
    Writer("history", HISTORY, 0, ""),
)


class Sandbox:
    """A small data set with golden data, a cache and a history of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.golden = folder, set[str]()
        few_scenes(folder / "mine", 6)
        shutil.copy(ROOT / "golden" / "latency.toml", self._made("golden") / "latency.toml")

    def _made(self, name: str) -> Path:
        (self.folder / name).mkdir(exist_ok=True)
        return self.folder / name

    def start(self, writer: Writer) -> "subprocess.Popen[str]":
        """Its command, in a process group of its own."""
        if writer.writes:
            shutil.rmtree(self.folder / writer.writes, ignore_errors=True)
        options = [
            f"--dataset={self.folder}/mine",
            f"--golden={self.folder}/golden",
            f"--report={self.folder}/report.json",
            f"--benchmark-storage=file://{self.folder}/history",
            "--device=cpu",
            "--preprocessor=original_clip",
        ]
        cache = {"CLIP_CONFORMANCE_CACHE": f"{self.folder}/cache", "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *writer.arguments, *options],
            cwd=ROOT,
            env={**os.environ, **cache},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )

    def undisturbed(self, writer: Writer) -> dict[str, Any]:
        """One run that nobody kills: its seconds, and what is wrong with it, if anything."""
        started = time.monotonic()
        process = self.start(writer)
        output, _ = process.communicate(timeout=LIMIT_S)
        wrong = self.broken()
        if process.returncode != writer.exit:
            wrong.append(f"exit code {process.returncode}, expected {writer.exit}: {output.strip().splitlines()[-1:]}")
        self.golden |= {path.name for path in (self.folder / "golden").glob("[!.]*/")}
        return {"seconds": time.monotonic() - started, "wrong": wrong}

    def killed(self, writer: Writer, after_s: float) -> dict[str, Any]:
        """One run killed with all its processes after so many seconds; what it left behind."""
        process = self.start(writer)
        time.sleep(after_s)
        ended = process.poll() is not None
        if not ended:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return {"writer": writer.name, "after_s": round(after_s, 3), "ended_before": ended, "wrong": self.broken()}

    def broken(self) -> list[str]:
        """Every file that is not whole, as the next run would find it; golden data that were there once must stay there."""
        for name in self.golden:
            put_back(self.folder / "golden" / name)
        wrong = [f"golden: {name} is gone" for name in sorted(self.golden) if not (self.folder / "golden" / name).is_dir()]
        wrong += [f"golden: {trouble}" for folder in (self.folder / "golden").glob("[!.]*/") if (trouble := damaged(folder))]
        wrong += [
            f"cache: {folder.name}" for folder in (self.folder / "cache").glob("*-" + 24 * "[0-9a-f]") if not is_whole(folder)
        ]
        for path in (self.folder / "history").rglob("*.json"):
            try:
                json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                wrong.append(f"history: {path.name}: {error}")
        return wrong


def campaign(folder: Path, kills: int, seed: int, told: Any) -> dict[str, Any]:
    """So many kills over all writers in turn, at uniformly random moments of their run; after all of them, each runs whole."""
    sandbox, rng = Sandbox(folder), np.random.default_rng(seed)
    first = {writer.name: told(sandbox.undisturbed(writer)) for writer in WRITERS}
    found = []
    for number in range(kills):
        writer = WRITERS[number % len(WRITERS)]
        found.append(told(sandbox.killed(writer, float(rng.uniform(0, first[writer.name]["seconds"])))))
    last = {writer.name: told(sandbox.undisturbed(writer)) for writer in WRITERS}
    left = [path.name for path in (folder / "golden").glob(".*")] + [path.name for path in (folder / "cache").glob("*.*[!k]")]
    return {"kills": found, "before": first, "after": last, "left_behind": left}
