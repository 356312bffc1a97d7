"""The fp16 graph of a policy without a conversion of its weights: what a search tries, some hundred times."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from fixtures.capability import Array
from suites.studies.policies.bare import Bare, bare, encoded, session, shared
from suites.studies.policies.nodes import float_types
from suites.studies.policies.rounding import rounding

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto, TensorProto

    from fixtures.capability import Tokens


class Tower:
    """One tower's fp32 graph, whose nodes are tried in fp16, all but some."""

    def __init__(self, path: "Path") -> None:
        import numpy as np

        self.graph: Bare = bare(path)
        self.types = float_types(self.graph.model)
        with np.errstate(over="ignore"):
            halves = {name: value.astype(np.float16).astype(np.float32) for name, value in self.graph.weights.items()}
        self.exact, self.half = shared(self.graph.weights), shared(halves)

    def encode(self, batch: "Array | Tokens", kept: Collection[str]) -> Array:
        """Raw embeddings float32 [N, D] with the nodes of the names `kept` in fp32 and all others in fp16."""
        made, low = mixed(self.graph.model, self.types, kept)
        weights = {name: (self.half if name in low else self.exact)[name] for name in self.exact}
        return encoded(session(rounding(made, low), weights), batch)


def mixed(model: "ModelProto", types: Collection[str], kept: Collection[str]) -> tuple["ModelProto", set[str]]:
    """A copy of an fp32 graph with casts in front of its fp16 nodes, and the names of its fp16 tensors.

    A value passes from one kept node to the next as it is; a weight that any fp16 node reads is fp16, as the converter has it.
    """
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST

    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    nodes = [*graph.node]
    lowered = [node for node in nodes if node.name not in kept and node.op_type not in DEFAULT_OP_BLOCK_LIST]
    ours, cast = {node.name for node in lowered}, set[str]()
    weights = {weight.name: weight for weight in graph.initializer}
    low = {name for node in lowered for name in node.output if name in types}
    low |= {name for node in lowered for name in node.input if name in types and name in weights}
    del graph.node[:]
    for node in nodes:
        for place, name in enumerate(node.input if node.name in ours else ()):
            if name in types and name not in low:
                if name not in cast:
                    cast.add(name)
                    graph.node.append(onnx.helper.make_node("Cast", [name], [f"{name} low"], to=onnx.TensorProto.FLOAT16))
                node.input[place] = f"{name} low"
        graph.node.append(node)
    for name in low & weights.keys():
        if weights[name].data_location != onnx.TensorProto.EXTERNAL:
            weights[name].CopyFrom(_half(weights[name]))
    return made, low | {f"{name} low" for name in cast}


def _half(weight: "TensorProto") -> "TensorProto":
    import numpy as np
    from onnx import numpy_helper

    with np.errstate(over="ignore"):
        return numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), weight.name)
