"""A backend in a worker process gives the same answers as one here, and its crashes and hangs stay there."""

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fixtures import isolated
from fixtures.capability import Encoder
from fixtures.errors import Unavailable
from suites.selftest.conftest import ROOT
from suites.selftest.patience import HANG_S
from suites.selftest.stubborn import Stubborn, StubbornEncoder

PIXELS = np.random.default_rng(0).random((5, 3, 8, 8), np.float32)


def load(mode: str) -> Encoder:
    """The encoder in its worker."""
    model: Any = SimpleNamespace(resolution=8)
    return Stubborn().load(model, mode, "cpu")


def test_same_answers() -> None:
    """Arrays of both towers pass unchanged, split by max_batch; results live on after later calls."""
    remote, here = load("fine"), StubbornEncoder("fine")
    found = remote.encode_image(PIXELS)
    tokens = np.arange(6, dtype=np.int64).reshape(2, 3)
    np.testing.assert_array_equal(remote.encode_text(tokens), here.encode_text(tokens))
    np.testing.assert_array_equal(found, here.encode_image(PIXELS))
    assert found.dtype == np.float32 and remote.max_batch == 2


def test_runs_elsewhere() -> None:
    """Evidence comes from another process; its Python's version and the price of the way there are known."""
    remote = load("fine")
    evidence = remote.evidence(PIXELS[:1], "image")
    assert evidence is not None and f"process {os.getpid()}," not in evidence.how and "1 image rows" in evidence.how
    assert "python" in remote.runs_in and float(remote.runs_in["pipe_ms"]) > 0


def test_device_objects_are_released() -> None:
    """What the near side drops, the far side drops with the next message."""
    remote: Any = load("fine")
    for _ in range(3):
        remote.encode_image(PIXELS[:1])
    gc.collect()
    remote.synchronize()
    assert remote.worker.released == []


@pytest.mark.parametrize(
    ("mode", "words"),
    [("crash", "the worker of stubborn ended with SIGSEGV during 'forward': about to divide by zero"),
     ("raise", "ValueError: shapes do not match")],
)  # fmt: skip
def test_trouble_is_an_error_of_the_encoder(mode: str, words: str) -> None:
    """A crash and an exception there are exceptions here, which name what happened."""
    with pytest.raises(RuntimeError, match=words):
        load(mode).encode_image(PIXELS[:1])


def test_hanging_worker_is_killed() -> None:
    """The time limit ends it, and no process is left."""
    remote: Any = load("hang")
    remote.worker.limit_s = 0.5
    with pytest.raises(RuntimeError, match="did not answer 'forward' within"):
        remote.encode_image(PIXELS[:1])
    assert remote.worker.process.wait(HANG_S) != 0


def test_worker_ends_with_a_near_side_that_was_killed() -> None:
    """Whatever it is doing: it hears of the hang-up and ends itself."""
    script = (
        "import os, signal, threading; from suites.selftest.test_worker import PIXELS, load; encoder = load('hang')\n"
        "print(encoder.worker.process.pid, flush=True)\n"
        "threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGKILL]).start(); encoder.encode_image(PIXELS[:1])"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    until = time.monotonic() + HANG_S
    while Path(f"/proc/{int(killed.stdout)}").exists():
        assert time.monotonic() < until, "the worker outlived its near side"
        time.sleep(0.1)


def test_refusal_is_a_skip() -> None:
    """Unavailable there is Unavailable here."""
    with pytest.raises(Unavailable, match="no engine for this processor: buy another"):
        load("refuse")


def test_worker_ends_with_its_encoder() -> None:
    """Dropping the encoder hangs up, and the process goes."""
    remote: Any = load("fine")
    process = remote.worker.process
    del remote
    gc.collect()
    assert process.poll() == 0


def test_missing_environment_costs_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its environment and its packages here, a backend is skipped with the command that builds it."""
    monkeypatch.setattr(isolated, "ROOT", tmp_path)
    monkeypatch.setattr(Stubborn, "python", isolated.IsolatedBackend.python)
    monkeypatch.setattr(Stubborn, "packages", {"no_such_package": "make audit BACKENDS=stubborn"})
    with pytest.raises(Unavailable, match="make audit BACKENDS=stubborn"):
        Stubborn().available("cpu")
