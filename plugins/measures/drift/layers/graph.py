"""The tensors of an ONNX graph that are a layer's output, and a session that hands them out without computing otherwise."""

import ast
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fixtures.backends._transformers import names_there
from fixtures.backends.onnxruntime import PROVIDERS, OnnxEncoder
from fixtures.capability import Array, Tokens, Tower
from fixtures.errors import Unavailable
from fixtures.machine.devices import cores
from plugins.measures.drift.layers.layers import TAP, Layer

if TYPE_CHECKING:
    import torch
    from onnx import GraphProto, NodeProto

SCOPES = "pkg.torch.onnx.name_scopes"  # the exporter's note of each node's module path, a list of names as text
GIVEN_TO = {"visual.positional_embedding": "visual.ln_pre", "positional_embedding": "transformer.resblocks.0.ln_1"}
FREE_CAST = "InsertedPrecisionFreeCast_"  # what onnxruntime calls the fp32 form of an fp16 tensor that it never rounds
LARGEST_FILE = 2**31 - 2**20  # of protobuf, with room for the names of the new outputs
SUM = 3  # which output of SkipLayerNormalization is the sum that it normalises; it computes it, asked or not


class Instrumented:
    """The graph that onnxruntime made of the cell's file for the cell's provider, run as it is with more outputs.

    Outputs of the file itself would keep onnxruntime from fusing and from leaving out casts: the cell would round elsewhere.
    """

    def __init__(self, encoder: OnnxEncoder, tower: Tower, layers: list[Layer]) -> None:
        import onnx

        if encoder.provider not in PROVIDERS.values():
            raise Unavailable(f"{encoder.provider} turns the graph into one engine, which holds no tensor of a layer")
        source = onnx.load(encoder.files[tower], load_external_data=False).graph
        with tempfile.TemporaryDirectory() as folder:
            kept, more = Path(folder) / "optimised.onnx", Path(folder) / "instrumented.onnx"
            _session(encoder, tower, encoder.files[tower], keep=str(kept))
            model = onnx.load(str(kept))
            self.tensors = resolved(tensors(source, layers), source, model.graph)
            present = {output.name for output in model.graph.output}
            for name in dict.fromkeys(self.tensors.values()):
                if name not in present:
                    model.graph.output.append(onnx.ValueInfoProto(name=name))
            onnx.save(model, str(more), save_as_external_data=model.ByteSize() > LARGEST_FILE)
            try:
                self.session = _session(encoder, tower, str(more))
            except Exception as error:  # providers may put nodes into the graph that they do not read again
                found = str(error).splitlines()[0]
                raise Unavailable(
                    f"onnxruntime does not load the graph that it made for {encoder.provider}: {found}"
                ) from error

    def __call__(self, batch: Array | Tokens) -> dict[str, "torch.Tensor"]:
        """Outputs by layer name, in the types that they have inside."""
        import torch

        names = list(dict.fromkeys(self.tensors.values()))
        outputs = self.session.run(names, {self.session.get_inputs()[0].name: np.ascontiguousarray(batch)})
        found = {name: torch.from_numpy(output) for name, output in zip(names, outputs, strict=True)}
        return {layer: found[tensor] for layer, tensor in self.tensors.items()}


def _session(encoder: OnnxEncoder, tower: Tower, path: str, keep: str | None = None) -> Any:
    """As the cell opens it; with `keep` the optimised graph is written there, without it nothing is optimised any more."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.log_severity_level = 3
    if keep:
        options.optimized_model_filepath = keep
    else:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    providers = [(encoder.provider, dict(encoder.options[tower]))]
    return onnxruntime.InferenceSession(path, options, providers=providers, disabled_optimizers=["NchwcTransformer"])


def tensors(graph: "GraphProto", layers: list[Layer]) -> dict[str, str]:
    """Tensor name by layer name in an exported graph; raises Unavailable when one left none, as after fusion."""
    last: dict[str, NodeProto] = {}
    for node in graph.node:
        for scope in _scopes(node):
            last[scope] = node
    found = {layer.name: _tensor(layer.name, last) for layer in layers[:-1]} | {layers[-1].name: graph.output[0].name}
    missing = [layer.name for layer in layers if layer.kind != "inner" and found[layer.name] is None]
    if missing:
        raise Unavailable(
            f"its ONNX file has no tensor for {len(missing)} of {len(layers)} layers (the first is {missing[0]}): "
            "they were fused before, or the file was not exported from open_clip's module"
        )
    return {name: tensor for name, tensor in found.items() if tensor}


def resolved(wanted: Mapping[str, str], source: "GraphProto", optimised: "GraphProto") -> dict[str, str]:
    """The same tensors in the optimised graph: themselves, their unrounded form, or the sum in a fused norm, if they exist."""
    made = {output for node in optimised.node for output in node.output}
    for node in optimised.node:
        if node.op_type == "SkipLayerNormalization" and len([name for name in node.output if name]) == 1:
            given = next((n.input[0] for n in source.node if n.output and n.output[0] == node.output[0]), None)
            if given and given not in made:
                node.output.extend([""] * (SUM - len(node.output)) + [given])
                made.add(given)
    forms = ((layer, (name, FREE_CAST + name)) for layer, name in wanted.items())
    found = {layer: next((form for form in names if form in made), None) for layer, names in forms}
    return {layer: name for layer, name in found.items() if name}


def _tensor(name: str, last: dict[str, "NodeProto"]) -> str | None:
    """An output of the last node of the module's scope, or what the scope of the module that is given it reads."""
    given_to = GIVEN_TO.get(name) or (name.removesuffix(TAP) if name.endswith(TAP) else None)
    wanted = given_to or name
    for scope in (f"clip.{wanted}", f"clip.clip.{names_there(f'{wanted}.')[0].removesuffix('.')}"):
        if scope in last:
            return str(last[scope].input[0] if given_to else last[scope].output[0])
    return None


def _scopes(node: "NodeProto") -> Iterator[str]:
    for entry in node.metadata_props:
        if entry.key == SCOPES:
            yield from ast.literal_eval(entry.value)
