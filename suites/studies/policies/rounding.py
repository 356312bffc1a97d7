"""A mixed-precision ONNX graph as a processor with fp16 arithmetic computes it: every result of an fp16 node is rounded.

onnxruntime's CPU provider has no fp16 products for x86. It computes in fp32 and leaves out casts in between, so that it rounds
less than the graph says. Here each fp16 node computes in fp32, as tensor cores add products up, and a pair of casts behind it
rounds its result, which no optimisation removes.
"""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fixtures.capability import Array, Tokens
from suites.studies.policies.bare import bare, encoded, session, shared
from suites.studies.policies.nodes import MOVES, float_types

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto


def rounding(model: "ModelProto", low: Collection[str]) -> "ModelProto":
    """The graph in fp32, with a pair of casts behind each node whose result is among `low`, the names of fp16 tensors."""
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    for info in (*graph.input, *graph.output):
        if info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16:
            info.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    for weight in graph.initializer:
        weight.CopyFrom(_widened(weight))
    del graph.value_info[:]
    nodes = [*graph.node]
    del graph.node[:]
    for node in nodes:
        graph.node.extend(_rounded(node, low))
    return made


def _widened(tensor: "TensorProto") -> "TensorProto":
    """An fp16 tensor in fp32; others as they are."""
    from onnx import TensorProto, numpy_helper

    if tensor.data_type != TensorProto.FLOAT16:
        return tensor
    if tensor.data_location == TensorProto.EXTERNAL:
        tensor.data_type = TensorProto.FLOAT
        return tensor
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name)


def _rounded(node: "NodeProto", low: Collection[str]) -> list["NodeProto"]:
    from onnx import TensorProto, helper

    for entry in node.attribute:
        if entry.name == "to" and entry.i == TensorProto.FLOAT16:
            entry.i = TensorProto.FLOAT
        if entry.HasField("t"):
            entry.t.CopyFrom(_widened(entry.t))
    rounded = [] if node.op_type in MOVES else [place for place, name in enumerate(node.output) if name in low]
    casts = []
    for place in rounded:
        name = node.output[place]
        node.output[place] = f"{name} exact"
        casts.append(helper.make_node("Cast", [f"{name} exact"], [f"{name} fp16"], to=TensorProto.FLOAT16))
        casts.append(helper.make_node("Cast", [f"{name} fp16"], [name], to=TensorProto.FLOAT))
    return [node, *casts]


def of_graph(source: "Path | ModelProto", batch: Array | Tokens) -> Array:
    """What a mixed-precision file or graph gives where fp16 results are rounded, raw float32 [N, D]."""
    import onnx

    if isinstance(source, onnx.ModelProto):
        given, source = source, onnx.ModelProto()
        source.CopyFrom(given)
    found = bare(source)
    low = {name for name, kind in float_types(found.model).items() if kind == onnx.TensorProto.FLOAT16}
    return encoded(session(rounding(found.model, low), shared(found.weights)), batch)
