"""An encoder over engines, with an engine in place of TensorRT's that works on host memory: what it binds, copies and owns."""

import ctypes
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fixtures.backends._onnx import TOWERS
from fixtures.backends._tensorrt import EngineEncoder, load_package
from fixtures.errors import Unavailable

SIDE, LENGTH, WIDTH = 4, 5, 3
LAYERS = "Layers:\nName: m, LayerType: gemm, Inputs: [ { Name: x, Datatype: Half, Format: (Linear) }], TacticName: t"


class HostEngine:
    """Takes one input; the embedding is its sum, once, twice and three times."""

    def __init__(self, plan: bytes) -> None:
        text = plan == b"text"
        self.shapes = {"input": (1, LENGTH) if text else (1, 3, SIDE, SIDE), "features": (1, WIDTH)}
        self.kinds = {"input": ("INT64", np.int64) if text else ("FLOAT", np.float32), "features": ("FLOAT", np.float32)}
        self.address: dict[str, int] = {}
        self.num_io_tensors = 2

    def get_tensor_name(self, index: int) -> str:
        return ("features", "input")[index]

    def get_tensor_mode(self, name: str) -> Any:
        return SimpleNamespace(name="INPUT" if name == "input" else "OUTPUT")

    def get_tensor_dtype(self, name: str) -> Any:
        return SimpleNamespace(name=self.kinds[name][0])

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.shapes[name]

    def create_execution_context(self) -> "HostEngine":
        return self

    def create_engine_inspector(self) -> Any:
        return SimpleNamespace(get_engine_information=lambda form: LAYERS if form == "oneline" else "")

    def set_tensor_address(self, name: str, address: int) -> None:
        self.address[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        memory = {name: self._memory(name) for name in self.address}
        memory["features"][:] = memory["input"].sum() * np.arange(1, WIDTH + 1)
        return stream == 0

    def _memory(self, name: str) -> Any:
        kind = np.dtype(self.kinds[name][1])
        size = int(np.prod(self.shapes[name]))
        memory = (ctypes.c_char * (size * kind.itemsize)).from_address(self.address[name])
        return np.frombuffer(memoryview(memory), kind)


class Logger:
    """What TensorRT's loggers derive from."""

    Severity = SimpleNamespace(ERROR=1, INTERNAL_ERROR=0)


@pytest.fixture
def encoder(tmp_path: Path) -> EngineEncoder:
    """On the host."""
    package: Any = ModuleType("tensorrt_on_the_host")
    package.__version__, package.ILogger = "1.0", Logger
    package.LayerInformationFormat = SimpleNamespace(ONELINE="oneline")
    package.Runtime = lambda log: SimpleNamespace(deserialize_cuda_engine=lambda plan: HostEngine(plan) if plan else None)
    files = {tower: tmp_path / f"{tower}.fp16.trt" for tower in TOWERS}
    for tower, file in files.items():
        file.write_text(tower)
    return EngineEncoder(package, files, None, device="cpu")


def test_each_row_is_a_call_of_its_own(encoder: EngineEncoder) -> None:
    """Batches are split into calls of one row, whatever the tower and the memory layout."""
    tokens = np.arange(3 * LENGTH, dtype=np.int64).reshape(3, LENGTH)
    pixels = np.asfortranarray(np.random.default_rng(0).normal(size=(3, 3, SIDE, SIDE)).astype(np.float32))
    for found, batch in ((encoder.encode_text(tokens), tokens), (encoder.encode_image(pixels), pixels)):
        wanted = batch.reshape(3, -1).sum(axis=1, keepdims=True) * np.arange(1, WIDTH + 1)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
        assert found.dtype == np.float32


def test_results_are_never_written_to_again(encoder: EngineEncoder) -> None:
    """Neither on the device nor on the host does the next call touch an earlier result, or its input."""
    one, two = (np.full((1, LENGTH), value, np.int64) for value in (1, 2))
    first = encoder.forward(encoder.upload(one, "text"), "text")
    host = encoder.download(first)
    second = encoder.forward(encoder.upload(two, "text"), "text")
    assert first.data_ptr() != second.data_ptr()
    np.testing.assert_array_equal(encoder.download(first), host)
    host[:] = 0
    assert float(first.sum()) == 30
    assert (one == 1).all()


def test_evidence_is_the_inspectors(encoder: EngineEncoder) -> None:
    """Precision of the loaded engine's layers, whatever the file is called."""
    found = encoder.evidence(np.zeros((1, LENGTH), np.int64), "text")
    assert (found.precision, found.device) == ("fp16", "cpu")
    assert "1 in fp16; TF32 in no kernel name; tensorrt_on_the_host 1.0, text.fp16.trt" in found.how


def test_an_engine_that_does_not_load_is_one_sentence(encoder: EngineEncoder) -> None:
    """As is a package whose libraries are missing."""
    encoder.files["text"].write_bytes(b"")
    with pytest.raises(RuntimeError, match=r"^tensorrt_on_the_host 1.0 cannot load text.fp16.trt: it gave no reason$"):
        EngineEncoder(encoder.trt, encoder.files, None, device="cpu")
    with pytest.raises(Unavailable, match="package 'no_such_tensorrt' is installed but does not load"):
        load_package("no_such_tensorrt")
