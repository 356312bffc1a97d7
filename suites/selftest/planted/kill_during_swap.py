"""A plug-in for inner runs: the process is killed right after it has moved the previous golden data out of their place."""

import os
import signal
from pathlib import Path

REPLACE = Path.replace


def _replace(self: Path, target: Path) -> Path:
    moved = REPLACE(self, target)
    if Path(target).suffix == ".old":
        os.kill(os.getpid(), signal.SIGKILL)
    return moved


def pytest_configure() -> None:
    """From now on."""
    Path.replace = _replace  # type: ignore[assignment, method-assign]
