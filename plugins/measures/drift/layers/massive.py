"""Massive activations and outlier channels: the largest values of the residual stream after each block.

Sun et al. 2024, "Massive Activations in Large Language Models" (arXiv:2402.17762): massive is what exceeds 100 and is about
1,000 times the median, or more. The square of a value above 255.9, which a norm in fp16 sums, exceeds the largest fp16 number.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import TypedDict

from fixtures.capability import Array, Tokens, Tower
from plugins.measures.drift.layers.layers import layers
from plugins.measures.drift.layers.profile import outputs

if TYPE_CHECKING:
    import torch

    from fixtures.models import Model

FP16 = 65504.0
SQUARED = FP16**0.5
OUTLIER = 6.0  # times the median: a channel whose own median is so large is an outlier at all tokens


class Block(TypedDict):
    """The stream after one block, over all inputs, without padding after end-of-text."""

    block: int
    median: float  # of magnitudes
    largest: float
    times: float  # the largest over the median; infinite if most values are 0
    token: int
    channel: int
    beyond: int  # values whose square exceeds fp16's largest number
    tokens: list[int]  # where those are
    channels: list[int]
    overflow: int  # values that exceed it themselves
    outlier_channels: list[int]


def massive(model: "Model", batch: Array | Tokens, tower: Tower) -> list[Block]:
    """Return a row for each block of a tower in fp32; raises Unavailable for a tower whose layers are unknown."""
    import torch

    parts: dict[int, list[tuple[torch.Tensor, torch.Tensor]]] = {}
    with torch.inference_mode():
        for number, stream, kept in _streams(model, batch, tower):
            parts.setdefault(number, []).append((stream, kept))
    return [row(number, torch.cat([p[0] for p in own]), torch.cat([p[1] for p in own])) for number, own in parts.items()]


def row(number: int, stream: "torch.Tensor", kept: "torch.Tensor") -> Block:
    """Return the figures of one block's output [N, T, C]; `kept`, bool [N, T], selects the tokens that count."""
    import torch

    size = stream.abs() * kept[..., None]
    median = float(stream[kept].abs().median())
    where = np.unravel_index(int(size.argmax()), tuple(size.shape))
    beyond = size > SQUARED
    usual = stream[kept].abs().median(dim=0).values
    return {
        "block": number,
        "median": median,
        "largest": float(size.max()),
        "times": float(size.max()) / median if median else math.inf,
        "token": int(where[1]),
        "channel": int(where[2]),
        "beyond": int(beyond.sum()),
        "tokens": torch.unique(beyond.nonzero()[:, 1]).tolist(),
        "channels": torch.unique(beyond.nonzero()[:, 2]).tolist(),
        "overflow": int((size > FP16).sum()),
        "outlier_channels": (usual > OUTLIER * median).nonzero()[:, 0].tolist(),
    }


def _streams(model: "Model", batch: Array | Tokens, tower: Tower) -> Iterator[tuple[int, "torch.Tensor", "torch.Tensor"]]:
    """Yield the output of each block for a few inputs at a time."""
    import torch

    module = model.module()
    for layer, stream, used in outputs(module, layers(module, tower), batch, tower):
        if layer.kind == "residual" and layer.block is not None:
            yield layer.block, stream, torch.ones(stream.shape[:2], dtype=torch.bool) if used is None else used
