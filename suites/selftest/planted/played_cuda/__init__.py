"""A CUDA device that is played on the CPU, see sitecustomize.py: what an inner run needs to have one."""

import os
import subprocess
import sys
from pathlib import Path

from fixtures import ROOT
from suites.selftest.patience import HANG_S

NAME = "Played H100"  # as the driver and torch say it


def environment() -> dict[str, str]:
    """This process's variables, and the folder whose sitecustomize.py every Python process imports at its start."""
    before = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *([before] if before else [])])}


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest on the played device, in a process of its own."""
    options = ["--device=cuda", "--preprocessor=original_clip", f"--report={tmp_path}/report.json", *arguments]
    command = [sys.executable, "-m", "pytest", "--unsupervised", *options]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=HANG_S)
