"""Runs of the command, some of which lose a worker, or are killed themselves, when half of the parts are finished."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from fixtures import ROOT

LIMIT_S = 3600
Kill = Callable[["subprocess.Popen[bytes]"], int]  # of a running command: how many processes it ended


def worker(command: "subprocess.Popen[bytes]") -> int:
    """End one of the command's workers, if there is one that computes."""
    for process in psutil.Process(command.pid).children(recursive=True):
        try:
            if process.name().startswith("ray::") and "MapWorker" in process.name():
                process.kill()
                return 1
        except psutil.NoSuchProcess:
            continue
    return 0


def everything(command: "subprocess.Popen[bytes]") -> int:
    """End the command and all of its processes at once."""
    processes = [psutil.Process(command.pid), *psutil.Process(command.pid).children(recursive=True)]
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    return len(processes)


def parts(out: Path) -> int:
    """Finished ones."""
    return len(list((out / "parts").glob("*.safetensors")))


def run(arguments: Sequence[str], out: Path, count: int, kill: Kill | None = None) -> dict[str, Any]:
    """One command in a folder that may have parts: its seconds, parts before it and at the kill, and its answer if it ended.

    Raises RuntimeError with what it printed if it fails without a kill.
    """
    before, started, at, ended = parts(out), time.monotonic(), -1, 0
    log = out.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as printed:
        command = subprocess.Popen(
            [sys.executable, "-m", "plugins.corpus", *arguments, f"--out={out}"], cwd=ROOT, stdout=printed, stderr=printed
        )
        while command.poll() is None and time.monotonic() < started + LIMIT_S:
            if kill and not ended and (now := parts(out)) >= count // 2:
                at, ended = now, kill(command)
            time.sleep(0.05)
        if command.poll() is None:
            everything(command)
    code = command.wait()
    row = {"seconds": round(time.monotonic() - started, 1), "parts_before": before, "exit": code}
    if kill:
        row |= {"parts_at_the_kill": at, "ended": ended}
    if code in (0, 1):
        row["answer"] = json.loads((out / "corpus.json").read_text(encoding="utf-8"))["answer"]
    elif not (ended and code == -signal.SIGKILL):
        raise RuntimeError(log.read_text(encoding="utf-8", errors="replace")[-3000:])
    return row


def fresh(folder: Path) -> Path:
    """The folder, without what an earlier proof left there."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder
