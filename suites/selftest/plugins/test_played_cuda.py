"""Cells on a CUDA device that is played: every branch for CUDA of our own code, from the driver's answers to the report."""

import json
from pathlib import Path

import pytest

from suites.selftest.planted import played_cuda as played

TESTS = "test_form or test_precision or test_direction or (test_encode and not alternation)"
BACKENDS = "torch-eager,torch-autocast,onnxruntime"
# The CPU multiplies in fp32 where a GPU has TF32, and onnxruntime's CPU kernels have no fp16 products: E9 sees both.
NOT_THERE = {"onnxruntime-fp16", "torch-eager-tf32"}


def test_cells(tiny: list[str], tmp_path: Path) -> None:
    """They pass but where the CPU cannot do as the device does; device-only times are in the report."""
    done = played.run(tmp_path, *tiny, f"--backend={BACKENDS}", "--precision=fp32,tf32,fp16", "-k", TESTS)
    report = json.loads((tmp_path / "report.json").read_text())
    rows = {f"{row['backend']}-{row['precision']}": row for row in report["cells"]}
    assert {row["device"] for row in rows.values()} == {"cuda"} and report["environment"]["gpu"].startswith(played.NAME)
    failed = {name: row["broken_promises"] for name, row in rows.items() if row["verdict"] == "fail"}
    assert failed == {name: ["E9"] for name in NOT_THERE}, done.stdout[-5000:]
    assert len(rows) == 6 and {row["verdict"] for row in rows.values()} == {"pass", "fail"}
    only = rows["torch-eager-fp32"]["latency_device_only_ms"]["image"]
    assert only["what"].startswith("device only") and only["p50"] > 0 and isinstance(only["launch_bound"], bool)


@pytest.mark.long
def test_fresh_processes(tiny: list[str], tmp_path: Path) -> None:
    """Forked processes have the device too: a comparison is stored, with the GPU in its machine."""
    options = [f"--benchmark-storage=file://{tmp_path}/stored", "--benchmark-compare", "--latency-budget=0.1"]
    chosen = ["--backend=torch-eager", "--precision=fp32", "suites/latency/test_history.py", "-k", "text"]
    done = played.run(tmp_path, *tiny, *options, *chosen)
    assert done.returncode == 0 and "no baseline for tiny:clip@random:0-torch-eager-fp32-cuda" in done.stdout, done.stdout[
        -3000:
    ]
    (stored,) = (tmp_path / "stored").glob("*/*.json")
    assert played.NAME in stored.read_text()


@pytest.mark.long
def test_compiled_cells(tiny: list[str], tmp_path: Path) -> None:
    """torch.compile, max-autotune, which CUDA alone offers, and torchao."""
    backends = "--backend=torch-compile,torch-compile-max-autotune,torchao"
    done = played.run(tmp_path, *tiny, backends, "-k", "test_form or test_precision")
    rows = json.loads((tmp_path / "report.json").read_text())["cells"]
    assert len(rows) == 7 and {row["verdict"] for row in rows} == {"pass"}, done.stdout[-3000:]
