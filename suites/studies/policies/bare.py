"""An ONNX graph without its large weights, which sessions share: hundreds of variants of it cost no copies of the weights."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fixtures.capability import Array, Tokens
from fixtures.machine.devices import cores

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

LARGE = 1024  # values; smaller weights stay in the graph
BATCH = 16  # inputs per call


@dataclass
class Bare:
    """A graph without its large weights, and these as fp32 [any shape] by name."""

    model: "ModelProto"
    weights: dict[str, Array] = field(default_factory=dict)


def bare(source: "Path | ModelProto") -> Bare:
    """Take the large weights of a file, or of a graph, which is changed, out of it."""
    import onnx

    found = Bare(onnx.load(str(source)) if isinstance(source, Path) else source)
    for weight in found.model.graph.initializer:
        if weight.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16) and np.prod(weight.dims) > LARGE:
            found.weights[weight.name] = onnx.numpy_helper.to_array(weight).astype(np.float32)
            _elsewhere(weight)
    return found


def _elsewhere(weight: "TensorProto") -> None:
    """Leave type and shape; the session is given the values."""
    from onnx import TensorProto

    for data in ("raw_data", "float_data", "int32_data", "external_data"):
        weight.ClearField(data)
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="given")


def session(model: "ModelProto", weights: dict[str, Any]) -> Any:
    """A session over such a graph that shares the weights, OrtValues by name, with others."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_external_initializers(list(weights), list(weights.values()))
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def shared(weights: dict[str, Array]) -> dict[str, Any]:
    """As OrtValues over the same memory."""
    import onnxruntime

    return {name: onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value)) for name, value in weights.items()}


def encoded(opened: Any, batch: Array | Tokens) -> Array:
    """The first output for every row, raw float32 [N, D]."""
    name = opened.get_inputs()[0].name
    parts = [opened.run(None, {name: batch[i : i + BATCH]})[0] for i in range(0, len(batch), BATCH)]
    return np.concatenate(parts).astype(np.float32)
