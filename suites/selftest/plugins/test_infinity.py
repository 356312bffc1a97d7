"""infinity itself, behind its own server: what the suite finds in it. `make setup BACKENDS=infinity` installs it."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from fixtures.errors import Unavailable
from fixtures.registry import services
from fixtures.services import _http, infinity_here
from suites.selftest.conftest import Run


@pytest.mark.long
def test_infinity(run: Run, few: list[str], tmp_path: Path) -> None:
    """Images are right; texts are cut, and a truncated file ends it, as declared; no process of it is left."""
    if not infinity_here.PYTHON.exists():
        pytest.skip("infinity-emb has no environment of its own: make setup BACKENDS=infinity")
    done = run("--backend=infinity-here", *few, "-rx")
    (row,) = json.loads((tmp_path / "report.json").read_text())["cells"]
    assert done.returncode == 0 and row["verdict"] == "expected-failure", done.stdout[-5000:]
    assert {"S3", "S7"} <= {*row["broken_promises"]} <= {*infinity_here.FOUND}
    assert infinity_here.CUT in row["reason"] and infinity_here.STUCK in row["reason"]
    assert row["drift"]["image"]["share_of_tolerance"] < 1
    commands = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in commands if "infinity_emb.cli" in command and str(infinity_here.PYTHON) in command]


def test_without_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The reason names the command."""
    monkeypatch.setattr(infinity_here, "PYTHON", tmp_path / "python")
    with pytest.raises(Unavailable, match="infinity-emb has no environment of its own: make setup BACKENDS=infinity"):
        services()["infinity-here"].available("service")


@pytest.mark.parametrize("code", [0, 3])
def test_it_cannot_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int) -> None:
    """A program that ends at once is one sentence, with its last line; ending it once more, as its client does, is quiet."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho no such model >&2\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setattr(infinity_here, "PYTHON", program)
    running = infinity_here.Running(tmp_path, "a-model")
    with pytest.raises(RuntimeError, match=rf"infinity did not start \(exit code {code}\): no such model"):
        running.start()
    assert running.end() == code


def test_a_wrong_limit_starts_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is refused before there is a server, which nobody would end."""
    started = list[infinity_here.Running]()
    monkeypatch.setattr(infinity_here, "cached", lambda *_: (tmp_path, True))
    monkeypatch.setattr(infinity_here.Running, "start", started.append)
    monkeypatch.setenv(_http.LIMIT, "soon")
    model: Any = SimpleNamespace(name="scenes-s", embed_dim=192, weights_sha256="")
    with pytest.raises(Unavailable, match="SERVICE_TIMEOUT_S is 'soon'"):
        services()["infinity-here"].load(model, "fp32", "service")
    assert not started
