"""onnxruntime's int8 has weights of 7 bits where products of the full range saturate, and says which range it has."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.capability import Encoder
from fixtures.models import Model, load_model
from fixtures.policy import Policy
from fixtures.registry import backends
from suites.selftest.conftest import Run
from suites.selftest.processors import NEW, OLD, play

FULL = "onnxruntime-full-range"
LARGEST = {"full": 127, "reduced": 64}  # 2 x 255 x 64 is the most that two products add up to, and fits 16 bits
LOADS: dict[str, Callable[[Model, Path], Encoder]] = {
    "load": lambda model, _: backends()["onnxruntime"].load(model, "int8", "cpu"),
    "load_policy": lambda model, folder: backends()["onnxruntime"].load_policy(
        model, Policy("x", "int8", ("attention",)), "cpu", folder
    ),
}


@pytest.fixture(scope="module")
def model() -> Model:
    """The default model."""
    return load_model("scenes-s", "")


@pytest.mark.parametrize("how", LOADS)
def test_the_processor_decides_the_range(model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str) -> None:
    """In the weights, in the encoder, in its evidence, and in the name under which its files are kept."""
    import onnx

    folders = set()
    for flags, wanted in ((NEW, "full"), (OLD, "reduced")):
        play(monkeypatch, flags)
        encoder: Any = LOADS[how](model, tmp_path)
        assert encoder.int8_range == wanted
        graph = onnx.load(encoder.files["text"]).graph
        weights = [onnx.numpy_helper.to_array(w) for w in graph.initializer if w.data_type == onnx.TensorProto.INT8]
        assert max(np.abs(w.astype(int)).max() for w in weights if w.ndim == 2) == LARGEST[wanted]
        assert f"weights in the {wanted} range" in encoder.evidence(model.tokenize(["a dog"]), "text").how
        folders.add(folder := Path(encoder.files["text"]).parent)
        assert json.loads((folder / "manifest.json").read_text())["made_from"]["int8_range"] == wanted
    assert len(folders) == 2


def test_fp16_has_no_range(model: Model) -> None:
    """Only int8's evidence speaks of one."""
    encoder = backends()["onnxruntime"].load(model, "fp16", "cpu")
    assert encoder.int8_range is None
    found = encoder.evidence(model.tokenize(["a dog"]), "text")
    assert found and "range" not in found.how


def test_both_ranges_have_their_row_on_an_old_processor(run: Run, few: list[str], tmp_path: Path) -> None:
    """The reduced one keeps int8's tolerance on all but one odd text, whatever this processor is; the full one may break what
    it declares."""
    chosen = (f"--backend=onnxruntime,{FULL}", "--precision=int8", "--preprocessor=original_clip", "--device=cpu")
    suites = ("suites/embeddings", "-p", "suites.selftest.processors", *few)
    result = run(*chosen, *suites, env={"FLAGS": OLD})
    assert result.returncode == 0, result.stdout[-3000:]
    rows = {row["backend"]: row for row in json.loads((tmp_path / "report.json").read_text())["cells"]}
    assert {name: row["int8_range"] for name, row in rows.items()} == {"onnxruntime": "reduced", FULL: "full"}
    assert set(rows["onnxruntime"]["broken_promises"]) <= {"E2"}
    assert rows["onnxruntime"]["drift"]["image_encoder"]["share_of_tolerance"] < 0.8
    assert rows["onnxruntime"]["drift"]["text"]["share_of_tolerance"] < 1.5
    assert all("reduced range" in rows["onnxruntime"]["evidence"][tower]["how"] for tower in ("image", "text"))
    assert set(rows[FULL]["broken_promises"]) <= {"C1", "E2", "E3", "E4", "E5", "E7"}


def test_a_new_processor_has_one_row(run: Run, few: list[str], tmp_path: Path) -> None:
    """The other one's name is known, its line on the matrix page says why there is no cell, and so does asking for it."""
    page, common = tmp_path / "matrix.md", ("-p", "suites.selftest.processors")
    chosen = ("suites/embeddings", "-k", "test_precision and text", "--precision=int8", f"--matrix-page={page}", *few)
    result = run(f"--backend=onnxruntime,{FULL}", *common, *chosen, env={"FLAGS": NEW})
    assert result.returncode == 0, result.stdout[-3000:]
    (row,) = json.loads((tmp_path / "report.json").read_text())["cells"]
    assert (row["backend"], row["int8_range"]) == ("onnxruntime", "full")
    lines = page.read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith(f"| {FULL} | int8 | onnx int8 | – \\[")]
    number = line.split("\\[")[1].split("\\]")[0]
    assert line.endswith("| – | – |")
    assert any(line.startswith(f"{number}. int8 products do not saturate on this processor") for line in lines)
    for ask in ("--collect-only", "--environment"):
        result = run(f"--backend={FULL}", *common, ask, env={"FLAGS": NEW})
        assert result.returncode == 4
        assert f"{FULL}: int8 products do not saturate" in result.stdout + result.stderr
