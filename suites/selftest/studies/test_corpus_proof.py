"""The proof of a corpus on a few images: real commands, one of which loses a worker of Ray, give the same answer."""

from pathlib import Path

import pytest

from suites.selftest.planted.small_corpus import write
from suites.studies.corpus import made, runs

pytest.importorskip("ddsketch", reason="ddsketch is not installed: pip install 'ddsketch[serialization]'")
pytest.importorskip("ray.data", reason="ray is not installed: pip install 'ray[data]'")


@pytest.mark.long
def test_a_killed_worker_changes_nothing(tmp_path: Path) -> None:
    """It is killed when half of the parts are finished; a run that is killed whole leaves parts, and goes on."""
    model = made.checkpoint(tmp_path / "tiny")
    arguments = [str(write(tmp_path / "images")), "--cells=torch-eager-bf16", f"--model={model}", "--part=2", "--queries=8"]
    alone = runs.run([*arguments, "--workers=0"], tmp_path / "alone", 11)
    worker = runs.run([*arguments, "--workers=2"], tmp_path / "worker", 11, runs.worker)
    killed = runs.run([*arguments, "--workers=0"], tmp_path / "all", 11, runs.everything)
    again = runs.run([*arguments, "--workers=0"], tmp_path / "all", 11)
    assert worker["ended"] == 1 and worker["parts_at_the_kill"] >= 5
    assert killed["exit"] < 0 and "answer" not in killed and again["parts_before"] >= 5
    assert alone["answer"] == worker["answer"] == again["answer"]
