"""A CUDA device that is played on the CPU, see sitecustomize.py: what an inner run needs to have one."""

import os
from pathlib import Path

NAME = "Played H100"  # as the driver and torch say it


def environment() -> dict[str, str]:
    """This process's variables, and the folder whose sitecustomize.py every Python process imports at its start."""
    before = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *([before] if before else [])])}
