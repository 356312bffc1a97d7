"""Magnitudes of a model's activations and weights relative to a format's range, which explain a format's drift."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fixtures.capability import Array, Tokens, Tower
from plugins.measures.drift.layers.layers import layers
from plugins.measures.drift.layers.profile import outputs
from plugins.measures.drift.layers.scores import scores

if TYPE_CHECKING:
    import torch

    from fixtures.models import Model

Float64 = NDArray[np.float64]
OUTLIER = 6.0  # an outlier channel or token has this many times the median of all channels' or tokens' largest magnitudes
LISTED = 3  # outliers listed at most; the largest is always listed


FORMATS = {"fp16": "float16", "bf16": "bfloat16"}  # torch's names


def holds(name: str) -> "torch.finfo":
    """Return the numeric limits of a format."""
    import torch

    return torch.finfo(getattr(torch, FORMATS[name]))


@dataclass
class Range:
    """Magnitudes of one tensor: an activation over all inputs, or a weight."""

    name: str
    largest: float = 0.0
    squares: float = 0.0
    count: int = 0
    subnormal: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FORMATS, 0))
    flushed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FORMATS, 0))
    int8_zero: int = 0  # values that round to 0 on an 8-bit scale of their own input
    channels: Float64 = field(default_factory=lambda: np.zeros(0))  # [C], largest magnitudes
    tokens: Float64 = field(default_factory=lambda: np.zeros(0))  # [T]

    def add(self, x: Any, kept: Any = None) -> None:
        """Add a tensor [N, T, C], [N, C] or [N, C, h, w]; `kept`, bool [N, T], selects the tokens that count."""
        x = x.flatten(2).transpose(1, 2) if x.ndim == 4 else x
        size = x.abs().double()
        rows = size.flatten(1).max(dim=1).values.clamp_min(1e-300)
        if kept is not None and x.ndim == 3:
            size = size * kept[..., None]
        scale = rows / 127.5  # an 8-bit scale over the full range of one input
        self.int8_zero += int(((size > 0) & (size < scale.view(-1, *[1] * (size.ndim - 1)) / 2)).sum())
        self.largest = max(self.largest, float(size.max()))
        self.squares += float((size**2).sum())
        self.count += int((size > 0).sum())
        for name in FORMATS:
            normal = holds(name).smallest_normal
            zero = normal * holds(name).eps / 2  # values below half the smallest subnormal round to 0
            self.subnormal[name] += int(((size < normal) & (size >= zero)).sum())
            self.flushed[name] += int(((size > 0) & (size < zero)).sum())
        self.channels = _larger(self.channels, size.flatten(0, -2).max(dim=0).values.numpy())
        if x.ndim == 3:
            self.tokens = _larger(self.tokens, size.max(dim=0).values.max(dim=-1).values.numpy())

    def as_json(self) -> dict[str, Any]:
        """Return the bits of headroom and the shares by format, and the outliers."""
        count, rms = max(self.count, 1), math.sqrt(self.squares / max(self.count, 1))
        return {
            "name": self.name,
            "largest": self.largest,
            "rms": rms,
            **{
                name: {
                    "headroom_bits": math.log2(holds(name).max / max(self.largest, 1e-300)),
                    "rms_over_smallest_normal_bits": math.log2(max(rms, 1e-300) / holds(name).smallest_normal),
                    "subnormal_share": self.subnormal[name] / count,
                    "flushed_share": self.flushed[name] / count,
                }
                for name in FORMATS
            },
            "int8": {"rounds_to_zero_share": self.int8_zero / count, "levels_of_rms": 127.5 * rms / max(self.largest, 1e-300)},
            "outlier_channels": outliers(self.channels),
            "outlier_tokens": outliers(self.tokens),
        }


def outliers(largest: Float64) -> list[dict[str, float]]:
    """Return the position of the largest magnitude and the next outliers, each as a multiple of the median."""
    usual = float(np.median(largest[largest > 0])) if (largest > 0).any() else math.inf
    order = np.argsort(-largest)[:LISTED]
    listed = [i for place, i in enumerate(order) if place == 0 or largest[i] >= OUTLIER * usual]
    return [{"index": int(i), "times_the_median": float(largest[i] / usual)} for i in listed]


def activation_ranges(model: "Model", batch: Array | Tokens, tower: Tower) -> Iterator[Range]:
    """Yield the range of every layer and inner step in fp32, over all inputs, without padding after end-of-text."""
    import torch

    module = model.module()
    known = [*layers(module, tower), *scores(module, tower)]
    found = {layer.name: Range(layer.name) for layer in known}
    with torch.inference_mode():
        for layer, output, kept in outputs(module, known, batch, tower):
            found[layer.name].add(output, kept)
    yield from found.values()


def _larger(before: Float64, now: Float64) -> Float64:
    return np.maximum(before, now) if len(before) else np.asarray(now, np.float64)
