"""`make gpu-record` and `make gpu-pack`, as far as they go without a GPU: phases, their page, the parts of the pack."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fixtures import ROOT
from fixtures.errors import BadInput
from suites.selftest.planted import played_cuda as played
from suites.studies.gpu import __main__ as record
from suites.studies.gpu import pack, page, phases
from suites.studies.gpu.phases import FAILS, PASSES, PLANTED, Phase


def test_the_plan_names_what_exists(tmp_path: Path) -> None:
    """Suites, studies and plug-ins; a rehearsal is a part of the whole, of some ten minutes."""
    whole, quick = (phases.plan("cuda", tmp_path, tmp_path / "few", tmp_path / "golden", quick) for quick in (False, True))
    assert {phase.name for phase in quick} < {phase.name for phase in whole}
    assert {f"{name}{what}" for name in phases.LARGE for what in ("", ", golden data")} < {phase.name for phase in whole}
    for argument in (argument for phase in whole for argument in phase.arguments):
        if argument.startswith("suites/"):
            assert (ROOT / argument.partition("::")[0]).exists(), argument
        elif argument.startswith("suites."):
            assert (ROOT / argument.replace(".", "/")).with_suffix(".py").exists(), argument
    assert sum(phase.limit_s for phase in quick) <= 930


@pytest.mark.parametrize(
    ("code", "must", "ended", "right"),
    [
        ("0", PASSES, "exit code 0", True),
        ("1", PASSES, "exit code 1", False),
        ("1", FAILS, "exit code 1", True),
        ("4", FAILS, "exit code 4", False),
        ("1", None, "exit code 1", True),
        ("__import__('time').sleep(99)", PASSES, "stopped after 2 s", False),
        ("1", PLANTED, "exit code 1", False),
    ],
)
def test_a_phase_ends_whatever_happens(tmp_path: Path, code: str, must: str | None, ended: str, right: bool) -> None:
    """Within its time; the row says how, and whether it had to end so."""
    row = phases.run(Phase("some phase", ("-c", f"import sys; print('said'); sys.exit({code})"), 2, must), tmp_path, 60)
    assert (row["ended"], row["as_it_must"]) == (ended, right)
    assert (tmp_path / "some-phase.log").exists()
    assert phases.run(Phase("late", (), 2, PASSES), tmp_path, 0)["ended"] == "not run: no time left"


def test_the_page() -> None:
    """Phases, cells, the gate's answer, each reason once, and the best cell beside the roofline."""
    change = {"ratio": 1.021, "low": 1.01, "high": 1.03, "confidence": 0.99}
    cell: dict[str, Any] = {
        "id": "m-a-fp16-cuda",
        "precision": "fp16",
        "device": "cuda",
        "verdict": "fail",
        "reason": "E9 broken",
        "drift": {"text": {"share_of_tolerance": 0.5}},
        "latency_ms": {"image": {"p50": 0.8}},
        "latency_ratio": {"image": {"ratio": 0.2, "verdict": "fail", "change": change}},
    }
    rows = [{"model": "m", "precision": "fp16", "memory_ms": 0.2, "products_ms": 0.1}]
    found: dict[str, Any] = {
        "tolerances": [{"precision": "fp16", "tower": "image", "limits": {"cosine_distance": [2e-6, 3e-6]}}],
        "command": "make gpu-record",
        "device": "cuda",
        "date": "2026-11-27T10:00:00+00:00",
        "commit": "abc",
        "environment": {"gpu": "NVIDIA H100"},
        "phases": [
            {"phase": "default model", "ended": "exit code 1", "as_it_must": True, "seconds": 9.6, "cells": [cell, cell]},
            {
                "phase": "roofline",
                "ended": "exit code 0",
                "as_it_must": False,
                "cells": [],
                "rates": {"bytes": 3e12},
                "rows": rows,
            },
        ],
    }
    text = page.text(found)
    assert "on NVIDIA H100, 2026-11-27" in text and "| default model | exit code 1 | yes | 10 |" in text
    assert "| roofline | exit code 0 | **no** | 0 |" in text and text.count("E9 broken") == 1
    assert "| - | 50% | 0.800 | - | 0.200 (fail: +2.1% since stored, +1.0% to +3.0%) |" in text
    assert "| fp16 | image | 3.00e-06 (1.50) |" in text
    assert "| m | fp16 | 0.2000 | 0.1000 | 0.800 (4.0 times), m-a-fp16 |" in text and "3000 GB/s" in text


def test_a_pack_is_joined_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders below the limit, a large wheel in parts; the script joins and checks all, and hands them to pip."""
    monkeypatch.setattr(pack, "PART", 1000)
    monkeypatch.setattr(pack, "FOLDER", 1500)
    wheels = [tmp_path / name for name in ("large-1-py3-none-any.whl", "small-1-py3-none-any.whl")]
    for wheel, size in zip(wheels, (2300, 700), strict=True):
        wheel.write_bytes(os.urandom(size))
    sizes = pack.pack(wheels, tmp_path / "pack")
    assert sum(sizes) == 3000 and max(sizes) <= 1500 and len(sizes) == 3
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nfor file in "$@"; do case $file in *.whl) cat "$file" >> "$SEEN";; esac; done\n')
    python.chmod(0o755)
    environment = {**os.environ, "PY": str(python), "SEEN": str(tmp_path / "seen")}
    script = ["sh", str(tmp_path / "pack" / "install.sh")]
    subprocess.run(script, env=environment, check=True, timeout=60)
    assert (tmp_path / "seen").read_bytes() == b"".join(wheel.read_bytes() for wheel in wheels)
    part = next((tmp_path / "pack").glob("*/*.part-01"))
    part.write_bytes(part.read_bytes()[:-1])
    assert subprocess.run(script, env=environment, capture_output=True, timeout=60, check=False).returncode != 0


def test_the_pack_has_the_lock_s_versions() -> None:
    """Each wheel of it is pinned there; a name that is not is one sentence."""
    found = pack.pinned(pack.WHEELS, pack.LOCK.read_text(encoding="utf-8"))
    assert len(found) == len(pack.WHEELS) and all("==" in name for name in found)
    with pytest.raises(BadInput, match="has no nothing-like-it: expected a version"):
        pack.pinned(["nothing-like-it"], "scipy==1.0 \\\n")


@pytest.mark.long
def test_the_rehearsal(tmp_path: Path) -> None:
    """All phases of the default model run on a played CUDA device, and each ends as it must; no evidence is written."""
    out, target = tmp_path / "record", record.TARGET
    before = target.read_bytes() if target.exists() else None
    options = ["--device", "cuda", "--quick", "--rehearsal", "--out", str(out)]
    subprocess.run([sys.executable, "-m", "suites.studies.gpu", *options], cwd=ROOT, env=played.environment(), check=True)
    text = (out / "record.md").read_text()
    assert "**no**" not in text and "scenes-s-slow-on-device-fp32-cuda" in text and f"on {played.NAME}" in text
    assert (target.read_bytes() if target.exists() else None) == before
