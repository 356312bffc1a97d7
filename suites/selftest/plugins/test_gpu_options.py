"""Runs about GPUs, with a driver that is played: which GPU is used, and a GPU that no cell could use."""

import os
from typing import Any

import pytest

from fixtures.machine.driver import Driver
from fixtures.machine.facts import Facts
from fixtures.machine.versions import refusal
from fixtures.registry import backends
from plugins.command_line import gpu
from plugins.report import idle_gpu

SKIPPED = {"device": "cuda", "verdict": "skipped", "reason": "found driver 470.57.02, wanted CUDA 13"}


@pytest.mark.parametrize(
    ("visible", "typed", "wanted"),
    [("", "cuda:1", "1"), ("3,5", "cuda:1", "5"), ("GPU-a,GPU-b", "cuda:0", "GPU-a"), ("2", "cuda", "2"), ("", "auto", "")],
)
def test_one_gpu_is_visible(
    monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config, visible: str, typed: str, wanted: str
) -> None:
    """The N-th of those that the user lets the process see; a child of the run does not count again."""
    monkeypatch.setenv(gpu.VISIBLE, visible)
    monkeypatch.setenv(gpu.CHOSEN, "")
    monkeypatch.setattr(pytestconfig.option, "device", typed)
    for _ in ("the run", "its child, with the same arguments"):
        monkeypatch.setattr(pytestconfig.option, "device", typed)
        gpu.pytest_cmdline_main(pytestconfig)
        assert os.environ[gpu.VISIBLE] == wanted and pytestconfig.option.device == typed.partition(":")[0]


def test_no_such_gpu(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> None:
    """One sentence; and what is no device at all is an error of the command line."""
    monkeypatch.setenv(gpu.VISIBLE, "3,5")
    monkeypatch.setenv(gpu.CHOSEN, "")
    monkeypatch.setattr(pytestconfig.option, "device", "cuda:2")
    with pytest.raises(pytest.UsageError, match="cuda:2: CUDA_VISIBLE_DEVICES shows 2 GPUs, expected a number below that"):
        gpu.pytest_cmdline_main(pytestconfig)
    with pytest.raises(ValueError, match="gpu"):
        gpu.device("gpu")


def test_a_gpu_that_no_cell_uses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is one, where cells of it were selected, and where none of these ran."""
    count = [1]
    monkeypatch.setattr(idle_gpu, "cuda_count", lambda: count[0])
    cpu, ran = {**SKIPPED, "device": "cpu"}, {**SKIPPED, "verdict": "fail"}
    rows: list[Any] = [cpu, SKIPPED, {**SKIPPED, "reason": "another"}, SKIPPED]
    assert "none of its 3 cells ran; 2 of them because: found driver 470.57.02" in idle_gpu.sentence(rows)
    assert idle_gpu.sentence([*rows, ran]) == "" and idle_gpu.sentence([cpu]) == ""  # type: ignore[list-item]
    count[0] = 0
    assert idle_gpu.sentence(rows) == ""


def test_such_a_run_fails(run: Any, tiny: list[str], tmp_path: Any) -> None:
    """In red, although every test passed or was skipped."""
    done = run(
        "-p",
        "suites.selftest.planted.old_driver",
        "suites/embeddings",
        "-k",
        "test_direction and text",
        "--backend=torch-eager",
        "--precision=fp32",
        "--device=auto",
        f"--report={tmp_path}/report.json",
        *tiny,
    )
    assert done.returncode == 1, done.stdout[-3000:]
    cell = "tiny:clip@random:0-torch-eager-fp32-cuda"
    assert f"there is a GPU, and none of its 1 cells ran; 1 of them because: {cell}: found" in done.stdout


def test_the_driver_keeps_its_error() -> None:
    """What cuInit returned stands in the sentence: 803 is another mending than 100."""
    facts = Facts(packages={"torch": "2.15.0"}, torch_cuda=(13, 2), driver=Driver("580.65.06", (13, 0), (), 803))
    assert "no CUDA device (its error 803)" in (refusal(backends()["torch-eager"], "fp32", "cuda", facts) or "")
