"""A plug-in for inner runs: encoders run in worker processes under the emulator of $EMULATED, the suite itself does not.

Emulating pytest, torch and the reference beside the encoder would take many times as long and show nothing more.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fixtures import ROOT
from fixtures.registry import backends
from fixtures.worker.client import Worker, WorkerEncoder
from fixtures.worker.isolated import IsolatedBackend
from suites.studies.processors import emulated, opener

ENCODERS = (
    ("fixtures.backends.onnxruntime", "OnnxEncoder"),
    ("fixtures.backends.onnxruntime_optimized", "OptimizedEncoder"),
)


def far(module: str, name: str, python: Path) -> Callable[..., WorkerEncoder]:
    """What takes the place of an encoder's class: it opens that class in a worker."""

    def opened(*arguments: Any, **named: Any) -> WorkerEncoder:
        worker = Worker(name, python, [ROOT], ROOT)
        prepared = {"module": module, "name": name, "arguments": arguments, "named": named}
        found = worker.ask("open", opener.__name__, "Opener", prepared, "", "cpu")
        encoder = WorkerEncoder(worker, found["max_batch"])
        encoder.build_s, encoder.runs_in = found["build_s"], found["runs_in"]
        encoder.int8_range = named.get("int8_range")
        return encoder

    return opened


def pytest_configure(config: pytest.Config) -> None:
    """Until the run ends."""
    starts: list[str] = json.loads(os.environ["EMULATED"])
    folder = tempfile.TemporaryDirectory(prefix="clip-conformance-")
    config.add_cleanup(folder.cleanup)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    python, own = emulated.script(starts, Path(sys.executable), Path(folder.name)), IsolatedBackend.python
    backends()  # all of them are imported now, because some make their encoder's class from these
    for module, name in ENCODERS:
        patch.setattr(f"{module}.{name}", far(module, name, python))

    def isolated(self: IsolatedBackend) -> Path | None:
        found = own(self)
        return found and emulated.script(starts, found, Path(folder.name))

    patch.setattr(IsolatedBackend, "python", isolated)
