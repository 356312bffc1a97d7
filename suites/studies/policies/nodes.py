"""Counts the nodes of an ONNX graph that compute in fp32, in the same way for every tool's file."""

from collections import Counter
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

# They move, choose or make values and round none: a value has the same digits behind them, in either type.
PLACES = frozenset(
    {"Concat", "Expand", "Flatten", "Pad", "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
)
MOVES = PLACES | {
    "Constant",
    "ConstantOfShape",
    "Gather",
    "GatherElements",
    "GatherND",
    "Identity",
    "ScatterND",
    "Shape",
    "Where",
}
CASTS = ("Cast", "CastLike")


class Counts(TypedDict):
    """Of one graph; nodes of floating-point arithmetic, and casts between fp16 and fp32."""

    fp32: dict[str, int]  # by type of operation
    fp16: int
    casts: int


def float_types(model: "ModelProto") -> dict[str, int]:
    """The element type of every tensor that is fp16 or fp32, by name; raises ValueError if ONNX cannot infer one."""
    import onnx
    from onnxruntime.transformers.onnx_model import OnnxModel

    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    del plain.graph.value_info[:]  # converters leave notes of types that no longer hold,
    OnnxModel(plain).topological_sort(is_deterministic=True)  # and casts behind what reads them
    graph = onnx.shape_inference.infer_shapes(plain, strict_mode=True).graph
    infos = [*graph.input, *graph.output, *graph.value_info]
    known = {info.name: info.type.tensor_type.elem_type for info in infos}
    known |= {weight.name: weight.data_type for weight in graph.initializer}
    unknown = next((name for node in graph.node for name in node.output if name and not known.get(name)), None)
    if unknown:
        raise ValueError(f"the type of tensor '{unknown}' cannot be inferred: expected a graph of standard ONNX operations")
    return {name: kind for name, kind in known.items() if kind in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)}


def computing(node: "NodeProto", types: dict[str, int]) -> int | None:
    """The type that a node of floating-point arithmetic computes in; None for other nodes."""
    if node.op_type in CASTS or node.op_type in MOVES:
        return None
    return next((types[name] for name in node.output if name in types), None)


def counted(model: "ModelProto") -> Counts:
    """Arithmetic by type of the results, and casts from one to the other."""
    import onnx

    types, graph = float_types(model), model.graph
    found = [(node.op_type, computing(node, types)) for node in graph.node]
    exact = Counter(name for name, kind in found if kind == onnx.TensorProto.FLOAT)
    low = sum(kind == onnx.TensorProto.FLOAT16 for _, kind in found)
    return {"fp32": dict(sorted(exact.items())), "fp16": low, "casts": _casts(graph, types)}


def _casts(graph: "GraphProto", types: dict[str, int]) -> int:
    ends = [(node.input[0], node.output[0]) for node in graph.node if node.op_type in CASTS]
    return sum(one in types and other in types and types[one] != types[other] for one, other in ends)
