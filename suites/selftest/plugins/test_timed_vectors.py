"""L1 sees a wrong vector that is given while calls are timed, and leaves declared drift to E2; L2 sees wrong pixels."""

import json
from pathlib import Path

import numpy as np
import pytest

from fixtures import truth
from fixtures.capability import TOWERS, Encoder
from fixtures.cells import EncoderKey
from fixtures.models import Model
from plugins.cells.timed_vectors import timed_vectors
from plugins.golden.verified import load_golden
from plugins.subjects import Subjects
from suites.selftest.conftest import Run

CELLS = ("drifts", "drifts-as-declared", "drifts-when-timed")


def test_declared_drift_is_left_to_e2(run: Run, few: list[str], tmp_path: Path) -> None:
    """Torch eager fp32 is what is right, in the precision's tolerance; where E2 is declared, the encoder's other calls."""
    plant = (
        "-p",
        "suites.selftest.planted.drifting_when_timed",
        f"--backend={','.join(CELLS)}",
        "--device=cpu",
        "--precision=fp32",
    )
    result = run(*plant, "suites/latency", "-k", "test_encode and not alternation and text", *few)
    assert result.returncode == 1, result.stdout[-3000:]
    rows = {row["backend"]: row for row in json.loads((tmp_path / "report.json").read_text())["cells"]}
    assert [rows[name]["verdict"] for name in CELLS] == ["fail", "pass", "fail"]
    assert "cosine distance of a timed vector to torch eager fp32's is " in result.stdout
    assert "cosine distance of a timed vector to the encoder's own, not timed is " in result.stdout
    assert all(rows[name]["broken_promises"] == ["L1"] for name in ("drifts", "drifts-when-timed"))


def test_torch_eager_is_loaded_once_for_both_towers(monkeypatch: pytest.MonkeyPatch) -> None:
    """At each precision that L1 needs; nothing is held afterwards."""
    loads, real = list[str](), truth.eager

    def eager(model: Model, precision: str) -> Encoder:
        loads.append(precision)
        return real(model, precision)

    monkeypatch.setattr(truth, "eager", eager)
    subjects, key = Subjects(), EncoderKey("scenes-s", "torch-eager", "bf16", "cpu")
    golden, loaded = load_golden(subjects), subjects.encoder(key)
    for tower in TOWERS:
        batches = subjects.rotating_inputs(tower)[:2]
        timed = np.concatenate([loaded.encoder.encode(batch, tower) for batch in batches])
        assert timed_vectors(subjects, golden, key, tower, batches, timed)
    assert loads == ["fp32", "bf16"] and not loaded.eager


def test_timed_stages_give_the_files_pixels(run: Run, dataset: Path) -> None:
    """Two stages that are not what a call does are timed for nothing."""
    plant = ("-p", "suites.selftest.planted.drifting_when_timed", "--preprocessor=other-stages,original_clip")
    result = run(*plant, "suites/latency", "-k", "test_preprocess", f"--dataset={dataset}")
    assert result.returncode == 1 and "1 failed, 1 passed" in result.stdout, result.stdout[-3000:]
    assert "L2 broken" in result.stdout and "in other-stages" in result.stdout
    assert "7 of 7 timed calls gave other pixels of " in result.stdout
