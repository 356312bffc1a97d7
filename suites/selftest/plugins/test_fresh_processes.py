"""A process that is started for a comparison and dies costs its own encoder; the next one starts as usual."""

import os
from pathlib import Path

import pytest

from fixtures.worker.fork import Forked
from plugins.latency.fresh import Side

DIES = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"


def test_a_start_that_crashes_leaves_its_worker_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how it ended, leaving it is no error, and the worker forks again."""
    (tmp_path / "dies.py").write_text(DIES)
    monkeypatch.syspath_prepend(tmp_path)
    worker = Forked("a comparison")
    try:
        side = Side(worker, ("dies:Backend", ("scenes-s", ""), "fp32", "cpu"))
        for _ in range(2):
            with pytest.raises(RuntimeError, match="SIGSEGV"):
                side.begin()
            side.leave()
        worker.ask("fork")
        worker.ask("leave")
    finally:
        worker.end()
    with pytest.raises(ProcessLookupError):
        os.kill(worker.process.pid, 0)
