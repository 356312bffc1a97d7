"""Attention scores as extra layers of the dynamic range; no cell gives access to them, because kernels are fused."""

from collections.abc import Callable
from typing import Any

from fixtures.capability import Tower
from plugins.measures.drift.layers.layers import Layer, layers


def scores(module: Any, tower: Tower) -> list[Layer]:
    """Return the layers of scaled products of q and k before any mask, [N, T, heads * T], one per block."""
    return [
        Layer(layer.name.replace(".in_proj", ".scores"), "inner", (layer.name,), _products(_block(module, layer)), layer.block)
        for layer in layers(module, tower)
        if layer.name.endswith(".attn.in_proj")
    ]


def _block(module: Any, layer: Layer) -> Any:
    return module.get_submodule(layer.name.removesuffix(".attn.in_proj"))


def _products(block: Any) -> Callable[[Any], Any]:
    heads = block.attn.num_heads

    def compute(packed: Any) -> Any:
        q, k, _ = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in packed.chunk(3, dim=-1))
        return (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).transpose(1, 2).flatten(2)

    return compute
