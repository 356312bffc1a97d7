"""TensorRT engines are really built here, through TensorRT-RTX and for GPUs that are not there; only running them needs one."""

import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures import progress
from fixtures.backends import _tensorrt_build, tensorrt_rtx
from fixtures.backends._onnx import onnx_files
from fixtures.backends._tensorrt import precision_of
from fixtures.backends._tensorrt_build import Gpu, build_engine, engine_name, engines
from fixtures.capability import Tower
from fixtures.errors import Unavailable
from fixtures.models import Model, load_model
from fixtures.progress import ProgressLine
from suites.selftest.conftest import ROOT
from suites.selftest.patience import HANG_S

AMPERE, ADA, BLACKWELL = Gpu("RTX 3090", (8, 6)), Gpu("RTX 4090", (8, 9)), Gpu("RTX 5090", (12, 0))


@pytest.fixture(scope="module")
def trt() -> Any:
    """TensorRT-RTX, whose Python interface is TensorRT's."""
    return pytest.importorskip("tensorrt_rtx", reason="package 'tensorrt_rtx' is not installed: pip install tensorrt-rtx")


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Progress lines, kept from the terminal."""
    monkeypatch.setattr(progress, "stream", stream := io.StringIO())
    return stream


@pytest.fixture(scope="module")
def model() -> Model:
    """The default model."""
    return load_model("scenes-s", "")


def file(model: Model, precision: str, tower: Tower) -> Path:
    """An exported tower."""
    return onnx_files(model, precision)[0] / model.onnx_file(tower, precision)


@pytest.mark.parametrize("gpu", [AMPERE, ADA, BLACKWELL], ids=lambda gpu: gpu.name)
@pytest.mark.parametrize("kind", ["image", "text"])
def test_engines_multiply_in_their_precision(trt: Any, model: Model, kind: Tower, gpu: Gpu) -> None:
    """Every layer that multiplies is listed in the precision of the cell, TF32 is off, and fp16 weights take less room."""
    size = {}
    for precision in ("fp32", "fp16"):
        plan, layers = build_engine(trt, file(model, precision, kind), "engine", gpu)
        found, how = precision_of(layers, plan)
        assert found == precision
        products = int(how.split()[6])
        assert how == f"layers of the engine that multiply: {products} in {precision}; TF32 off"
        assert products >= {"image": 31, "text": 16}[kind]  # of 38 and 19: a fused attention is one layer
        size[precision] = len(plan)
    assert size["fp16"] < 0.7 * size["fp32"]


def test_tf32_shows(trt: Any, model: Model) -> None:
    """The same engine with TensorRT's default is not fp32, and is found out; so is a TF32 kernel by its name."""
    plan, layers = build_engine(trt, file(model, "fp32", "text"), "engine", ADA, tf32=True)
    assert precision_of(layers, plan)[0] == "tf32"
    layer = "Name: a, LayerType: CaskGemmConvolution, Inputs: [ { Name: b, Format/Datatype: Row major linear FP32 }]"
    kernel = "TacticName: sm80_xmma_gemm_f32f32_{}f32_f32_tn_n"
    assert precision_of(f"{layer}, {kernel.format('')}", b"")[0] == "fp32"
    assert precision_of(f"{layer}, {kernel.format('tf32')}", b"")[0] == "tf32"
    assert precision_of(f"Name: a, LayerType: Reformat{layer[35:]}", b"")[0] == "nothing"


def test_inputs_and_outputs_of_fp16_stay_fp32(model: Model) -> None:
    """Pixels and embeddings are not rounded on their way in and out."""
    import onnx

    graph = onnx.load(file(model, "fp16", "image")).graph
    assert {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)} == {onnx.TensorProto.FLOAT}


def test_what_cannot_be_built_is_one_sentence(trt: Any, model: Model, tmp_path: Path) -> None:
    """A damaged file, a GPU that TensorRT-RTX does not know, a precision that a GPU lacks."""
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    with pytest.raises(RuntimeError, match=r"^tensorrt_rtx [\d.]+ cannot read broken.onnx: .*Failed to parse.*$"):
        build_engine(trt, broken, "engine", ADA)
    with pytest.raises(Unavailable, match=r"builds for SM75, .*, not for H100 \(compute capability 9.0\): use .*tensorrt$"):
        build_engine(trt, file(model, "fp32", "text"), "engine", Gpu("H100", (9, 0)))
    with pytest.raises(RuntimeError, match=r"cannot build text.fp32.trt for T4 .*FP32 GEMM is not supported"):
        build_engine(trt, file(model, "fp32", "text"), "text.fp32.trt", Gpu("T4", (7, 5)))
    # TensorRT-RTX 1.7.1 builds the next engine of the process for the target that has just failed: here it is thrown away.
    build_engine(trt, file(model, "fp16", "text"), "engine", ADA)


def test_a_gpu_without_fp32_is_skipped(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is built: a failed build would leave its mark on the next."""
    monkeypatch.setattr(tensorrt_rtx, "present_gpu", lambda: Gpu("T4", (7, 5)))
    with pytest.raises(Unavailable, match=r"from compute capability 8.0, found T4 \(compute capability 7.5\): use fp16"):
        tensorrt_rtx.TensorRTRTX().load(model, "fp32", "cuda")


def test_every_ingredient_is_in_the_key(trt: Any, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other weights, architecture, export, precision, version, package or GPU: another engine."""
    monkeypatch.setattr(_tensorrt_build, "build_engine", lambda *_: (b"plan", "Layers:"))
    fake = SimpleNamespace(__name__="tensorrt", __version__="11.4.0")
    one: dict[str, Any] = {"weights_sha256": "a", "architecture": "b"}

    def folder(trt: Any = fake, precision: str = "fp32", gpu: Gpu = ADA, onnx: str = "onnx-1", **other: str) -> Path:
        subject: Any = SimpleNamespace(**{**one, **other})
        return engines(trt, subject, {"text": tmp_path / onnx / "text.onnx"}, precision, gpu, tmp_path)[0]

    newer, rtx = (SimpleNamespace(__name__=n, __version__=v) for n, v in (("tensorrt", "11.4.1"), ("tensorrt_rtx", "11.4.0")))
    assert folder() == folder()
    assert {p.name for p in folder().iterdir()} == {"text.fp32.trt", "text.fp32.layers.txt", "manifest.json"}
    others: list[dict[str, Any]] = [
        {},
        {"weights_sha256": "c"},
        {"architecture": "c"},
        {"onnx": "onnx-2"},
        {"precision": "fp16"},
        {"trt": newer},
        {"trt": rtx},
        {"gpu": Gpu("L4", (8, 9))},
        {"gpu": Gpu("RTX 4090", (8, 6))},
    ]
    assert len({folder(**other) for other in others}) == len(others)


def test_engines_are_named_like_their_onnx_file() -> None:
    """With the precision once: Chinese-CLIP's own file names carry it."""
    assert engine_name(Path("image.onnx"), "fp16") == "image.fp16.trt"
    assert engine_name(Path("vit-b-16.img.fp16.onnx"), "fp16") == "vit-b-16.img.fp16.trt"


def test_a_damaged_engine_is_rebuilt(trt: Any, model: Model, tmp_path: Path, said: io.StringIO) -> None:
    """A truncated engine is never loaded: it is built again, said so, and whole afterwards."""
    onnx: dict[Tower, Path] = {"text": file(model, "fp16", "text")}
    folder, seconds = engines(trt, model, onnx, "fp16", ADA, tmp_path)
    assert seconds is not None
    assert engines(trt, model, onnx, "fp16", ADA, tmp_path) == (folder, None)
    engine = folder / "text.fp16.trt"
    whole = len(engine.read_bytes())
    engine.write_bytes(engine.read_bytes()[: whole // 2])
    _, seconds = engines(trt, model, onnx, "fp16", ADA, tmp_path)
    assert "damaged: building it again" in said.getvalue()
    assert seconds is not None
    assert len(engine.read_bytes()) == whole
    assert precision_of((folder / "text.fp16.layers.txt").read_text(), engine.read_bytes())[0] == "fp16"


def test_a_build_shows_its_progress(trt: Any, model: Model, monkeypatch: pytest.MonkeyPatch, said: io.StringIO) -> None:
    """TensorRT's phases appear one after the other; a build of a moment says nothing."""
    monkeypatch.setattr(progress, "QUIET_S", 60.0)
    build_engine(trt, file(model, "fp16", "text"), "text.fp16.trt", ADA)
    assert said.getvalue() == ""
    monkeypatch.setattr(progress, "QUIET_S", 0.0)
    monkeypatch.setattr(progress, "LOG_S", 0.0)
    build_engine(trt, file(model, "fp16", "text"), "text.fp16.trt", ADA)
    lines = said.getvalue().splitlines()
    start = "building text.fp16.trt for RTX 4090 (compute capability 8.9): "
    assert all(line.startswith(start) for line in lines)
    assert any("Building engine 3/6, " in line for line in lines)
    assert lines[-1].startswith(f"{start}done in ")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_progress_is_one_line_that_is_rewritten() -> None:
    """On a terminal in place and often, in a log seldom; nothing in the first five seconds."""
    for stream, wanted in ((Terminal(), 75), (io.StringIO(), 1)):
        now = [0.0]
        line = ProgressLine("building", stream, clock=lambda now=now: now[0])  # type: ignore[misc]  # bound at once
        for tick in range(200):
            now[0] = tick / 10
            line.step(f"step {tick}")
        line.finish()
        shown = [part for part in stream.getvalue().replace("\r", "\n").splitlines() if part]
        assert shown[0].split() == ["building:", "step", "50,", "5", "s"]
        assert len(shown) == pytest.approx(wanted + 1, rel=0.1)
        assert shown[-1].strip() == "building: done in 20 s"
        assert stream.getvalue().count("\n") == (1 if stream.isatty() else len(shown))


def test_progress_is_seen_although_tests_are_captured(tmp_path: Path) -> None:
    """What a passing test writes is kept from the terminal; what a build says of itself is not."""
    (tmp_path / "test_it.py").write_text(
        "import sys\nfrom fixtures import progress\n"
        "def test_it():\n    progress.QUIET_S = 0.0\n    print('captured', file=sys.stderr)\n"
        "    progress.ProgressLine('building').step('half')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "plugins.progress", "--rootdir", str(tmp_path), "test_it.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 0, done.stdout
    assert done.stderr.splitlines() == ["building: half, 0 s"]
