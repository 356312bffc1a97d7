"""A process that is started for a comparison and dies or hangs costs its own comparison; the next one starts as usual."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from fixtures.worker.client import Worker
from fixtures.worker.fork import Forked
from fixtures.worker.start import Start
from plugins.cells.new_inputs import CHUNK, NewInputs
from plugins.latency.fresh import Side, begun
from suites.selftest import forked
from suites.selftest.conftest import TINY, small_dataset
from suites.selftest.patience import HANG_S, patience

DIES = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"
HANGS = "import subprocess\nsubprocess.run(['sleep', '600'])\n"
WAITS = """
import os, time
from pathlib import Path
import numpy as np

class Backend:
    precisions = ("fp32",)

    def load(self, model, precision, device):
        here = Path(__file__).parent
        (here / f"{os.getpid()}.begun").touch()
        while len(list(here.glob("*.begun"))) < 2:
            time.sleep(0.01)
        return self

    def encode(self, batch, tower):
        return np.zeros((len(batch), 4), np.float32)
"""


@contextmanager
def forking() -> Iterator[Worker]:
    """A worker, which is the one that it was at the end, and ends."""
    made = Forked("a comparison")
    try:
        yield made
        again = Start(made)
        assert again.ask("echo", 2, batch=np.zeros(1, np.float32)).shape == (2,)
        again.end()
        assert made.process.poll() is None
    finally:
        made.end()
    with pytest.raises(ProcessLookupError):
        os.kill(made.process.pid, 0)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        pytest.param(DIES, "the worker of a comparison ended with SIGSEGV during 'open_cell'", id="dies"),
        pytest.param(HANGS, "the worker of a comparison did not answer 'open_cell' within 1 s", id="hangs"),
    ],
)
def test_a_start_that_dies_or_hangs_leaves_its_worker_alive(
    source: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how it ended, leaving it is no error, and none of its own children is left."""
    (tmp_path / "wrong.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with forking() as worker:
        worker.limit_s = 1.0
        side = Side(worker, ("wrong:Backend", ("scenes-s", ""), "fp32", "cpu"))
        for _ in range(2):
            side.begin()
            with pytest.raises(RuntimeError, match=sentence):
                side.built()
            group = side.started.process.pid
            side.leave()
            until = time.monotonic() + HANG_S
            while _alive(group):
                assert time.monotonic() < until
                time.sleep(0.05)
        worker.limit_s = patience(60)


def test_both_sides_build_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them waits until the other one has begun; then both are timed."""
    (tmp_path / "waits.py").write_text(WAITS)
    monkeypatch.syspath_prepend(tmp_path)
    with forking() as worker:
        worker.limit_s = patience(60)
        cell = ("waits:Backend", ("scenes-s", ""), "fp32", "cpu")
        sides = Side(worker, cell), Side(worker, cell)
        with begun(sides, NewInputs(lambda number: np.zeros((CHUNK, 3, 8, 8), np.float32)), "image") as blocks:
            assert all(len(block(3)[0]) == 3 for block in blocks)
        assert [len(side.opened) for side in sides] == [1, 1] and len(sides[0].looked_at) == 1


def _alive(group: int) -> list[int]:
    """Processes of this group that still run."""
    found = []
    for process in psutil.process_iter(["pid", "status"]):
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def test_a_start_that_dies_between_two_requests() -> None:
    """The next request says so, and no answer is taken for that of another request."""
    with forking() as worker:
        start = Start(worker)
        os.kill(start.process.pid, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="ended with SIGKILL during 'synchronize'"):
            start.ask("synchronize")
        start.end()


def test_each_costs_its_own_comparison(tmp_path: Path) -> None:
    """In a run without a supervisor: what comes after one that hangs is started as usual."""
    arguments = [
        *("-p", "suites.selftest.planted.crashing_backends", *TINY, "suites/latency/test_history.py"),
        *("--backend=hang", "--device=cpu", f"--test-limit={patience(1)}"),
        *("--benchmark-autosave", f"--benchmark-storage={tmp_path}/stored", f"--report={tmp_path}/report.json"),
        f"--dataset={small_dataset(tmp_path / 'data')}",
    ]
    done = forked.run(arguments, {})
    each = "hang-fp32-cpu in a process of its own: the worker of a comparison did not answer 'open_cell' within"
    assert done.stdout.count(f"L4: tiny:clip@random:0-{each}") == 1 and "2 failed" in done.stdout, done.stdout[-3000:]
    assert sum(line.startswith("tiny:clip") and each in line for line in done.stdout.splitlines()) == 2, done.stdout[-3000:]
    assert "Traceback" not in done.stdout + done.stderr, done.stdout[-3000:]
