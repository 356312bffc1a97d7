"""Runs the suite from inside itself, in a process of its own, with a fault planted or a bad input given."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
Run = Callable[..., subprocess.CompletedProcess[str]]


def start(folder: Path, *args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run pytest at the root to its end; its report goes to `folder`."""
    command = [sys.executable, "-m", "pytest", "--benchmark-disable", f"--report={folder}/report.json", *args]
    environment = {**os.environ, **(env or {}), "COLUMNS": "200"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run("--backend", "x", env={...})` is an inner run whose report goes to tmp_path/report.json."""
    return partial(start, tmp_path)
