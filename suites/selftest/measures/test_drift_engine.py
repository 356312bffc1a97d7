"""TensorRT's marked outputs: the parser really marks them and builds; the calls are made to an engine on host memory."""

import ctypes
import io
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fixtures import progress
from fixtures.backends import _tensorrt_layers as engine
from fixtures.backends._onnx import onnx_files
from fixtures.backends._tensorrt import EngineEncoder
from fixtures.backends._tensorrt_build import Gpu, build_engine, log_of
from fixtures.errors import Unavailable
from fixtures.models import Model
from plugins.measures.drift.layers.layers import layers

ADA = Gpu("RTX 4090", (8, 9))


def test_tensorrt_marks_every_layer(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT-RTX reads the file with each layer as an output, in fp16, and builds an engine of it without a GPU."""
    trt = pytest.importorskip("tensorrt_rtx", reason="package 'tensorrt_rtx' is not installed: pip install tensorrt-rtx")
    monkeypatch.setattr(progress, "stream", io.StringIO())
    wanted = layers(model.module(), "text")
    found = engine.mark(onnx_files(model, "fp16")[0] / "text.onnx", tmp_path / "text.onnx", wanted)
    assert {layer.name for layer in wanted} - set(found) == {f"transformer.resblocks.{i}.attn.in_proj" for i in range(3)}
    builder = trt.Builder(log_of(trt))
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    assert trt.OnnxParser(network, log_of(trt)).parse_from_file(str(tmp_path / "text.onnx"))
    outputs = {network.get_output(i).name: network.get_output(i).dtype for i in range(network.num_outputs)}
    assert set(outputs) == set(found.values())
    assert outputs[found["transformer.resblocks.1.mlp"]] == trt.float16
    plan, _ = build_engine(trt, tmp_path / "text.onnx", "engine", ADA)
    assert all(name.encode() in plan for name in found.values())


class HostEngine:
    """Two outputs: the input doubled, in fp32, and its negative, in fp16."""

    num_io_tensors = 3

    def __init__(self) -> None:
        self.address: dict[str, int] = {}

    def get_tensor_name(self, index: int) -> str:
        return ("doubled", "input", "negative")[index]

    def get_tensor_mode(self, name: str) -> Any:
        return SimpleNamespace(name="INPUT" if name == "input" else "OUTPUT")

    def get_tensor_dtype(self, name: str) -> Any:
        return SimpleNamespace(name="HALF" if name == "negative" else "FLOAT")

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (1, 4)

    def create_execution_context(self) -> "HostEngine":
        return self

    def set_tensor_address(self, name: str, address: int) -> None:
        self.address[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        kinds = {"input": "f4", "doubled": "f4", "negative": "f2"}
        given, doubled, negative = (self._memory(name, kind) for name, kind in kinds.items())
        doubled[:], negative[:] = 2 * given, -given
        return stream == 0

    def _memory(self, name: str, kind: str) -> Any:
        size = 4 * np.dtype(kind).itemsize
        return np.frombuffer(memoryview((ctypes.c_char * size).from_address(self.address[name])), kind)


def test_every_output_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By layer, in the engine's types; without the file that the engine came from there is nothing to mark."""
    package: Any = ModuleType("tensorrt_on_the_host")
    package.__version__, package.ILogger = "1.0", type("Log", (), {"Severity": SimpleNamespace(ERROR=1, INTERNAL_ERROR=0)})
    package.Runtime = lambda log: SimpleNamespace(deserialize_cuda_engine=lambda plan: HostEngine())
    (tmp_path / "text.trt").write_bytes(b"plan")
    encoder = EngineEncoder(package, {"text": tmp_path / "text.trt"}, None, "cpu", {"text": tmp_path / "text.onnx"})
    monkeypatch.setattr(engine, "mark", lambda source, target, layers: {"a": "doubled", "b": "negative"})
    monkeypatch.setattr(engine, "build_engine", lambda *args: (b"plan", ""))
    monkeypatch.setattr(engine, "present_gpu", lambda: ADA)
    found = engine.MarkedEngine(encoder, "text", [])(np.array([[1, 2, 3, 4]], np.float32))
    assert found["a"].tolist() == [[2, 4, 6, 8]]
    assert str(found["b"].dtype) == "torch.float16"
    assert found["b"].tolist() == [[-1, -2, -3, -4]]
    with pytest.raises(Unavailable, match="no tensor can be marked"):
        engine.MarkedEngine(encoder, "image", [])
