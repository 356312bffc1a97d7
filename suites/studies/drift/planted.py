"""Defects that the audit must find, planted in a model or in one of its cells."""

import copy
from typing import Any

from fixtures.backends._torch import TorchEncoder
from fixtures.capability import Array, Encoder, Tokens, Tower
from fixtures.models import Model
from fixtures.registry import backends
from plugins.measures.drift.layers.layers import layers
from suites.studies.half_norm import compute_in_fp16

TARGET = 60_000.0  # 0.13 bits below the largest fp16


def middle_block(model: Model, tower: Tower) -> str:
    """Path of the block in the middle of a tower."""
    path = "visual.transformer.resblocks" if tower == "image" else "transformer.resblocks"
    blocks = {name.removeprefix(f"{path}.").split(".")[0] for name in model.state if name.startswith(f"{path}.")}
    return f"{path}.{len(blocks) // 2}"


def with_weights(model: Model, **changed: Any) -> Model:
    """A model that shares all other weights; its hash is its own."""
    other = copy.copy(model)
    vars(other).pop("weights_sha256", None)
    other.state = {**model.state, **changed}
    return other


def scaled_block(model: Model, tower: Tower, batch: Array | Tokens, block: str) -> Model:
    """The model with the last matrix of a block's MLP scaled so that its output reaches TARGET on `batch`, in any precision."""
    import torch

    exact = model.module().double()
    given = torch.from_numpy(batch)
    values: dict[str, Any] = {"input": given.double() if tower == "image" else given}
    with torch.inference_mode():
        for layer in layers(exact, tower):
            values[layer.name] = layer.compute(*(values[name] for name in layer.inputs))
            if layer.name == f"{block}.mlp":
                break
    factor = TARGET / float(values[f"{block}.mlp"].abs().max())
    names = (f"{block}.mlp.c_proj.weight", f"{block}.mlp.c_proj.bias")
    return with_weights(model, **{name: model.state[name] * factor for name in names})


def fp8_weights(model: Model, layer: str) -> Model:
    """The model with one weight matrix rounded to fp8 (e4m3) and back, as a cell that says fp16 may hide it."""
    import torch

    weight = model.state[f"{layer}.weight"]
    return with_weights(model, **{f"{layer}.weight": weight.to(torch.float8_e4m3fn).to(weight.dtype)})


def fp16_norm(encoder: TorchEncoder, layer: str) -> TorchEncoder:
    """The cell with one LayerNorm that computes in fp16."""
    compute_in_fp16(encoder.module.get_submodule(layer))
    return encoder


def plant(kind: str, model: Model, tower: Tower, batch: Array | Tokens) -> tuple[Model, Encoder, str]:
    """The model to compare with, a torch-eager fp16 cell with the defect "scaled", "fp8" or "norm", and its layer's name."""
    block, eager = middle_block(model, tower), backends()["torch-eager"]
    if kind == "scaled":
        other = scaled_block(model, tower, batch, block)
        return other, eager.load(other, "fp16", "cpu"), f"{block}.mlp"
    if kind == "fp8":
        return model, eager.load(fp8_weights(model, f"{block}.mlp.c_fc"), "fp16", "cpu"), f"{block}.mlp"
    encoder = eager.load(model, "fp16", "cpu")
    assert isinstance(encoder, TorchEncoder)
    return model, fp16_norm(encoder, f"{block}.ln_2"), f"{block}.ln_2"


KINDS = {
    "scaled": "a block whose activations are scaled to 60,000",
    "fp8": "one layer's weights rounded to fp8",
    "norm": "a LayerNorm computed in fp16",
}
