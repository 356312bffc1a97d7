"""Faults in weights and graph: each changes open_clip's module; `s` is the strength."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fixtures.capability import Encoder
from suites.studies.faults.plants import Altered, Fault, encoder, module, source
from suites.studies.half_norm import compute_in_fp16

if TYPE_CHECKING:
    from fixtures.models import Model

TEXT, IMAGE = "transformer", "visual.transformer"


def _blocks(clip: Any, tower: str) -> Any:
    return clip.get_submodule(tower).resblocks


def _without_mask(clip: Any, s: list[int]) -> None:
    for i in s:
        block = _blocks(clip, TEXT)[i]
        block.forward = lambda x, attn_mask=None, forward=block.forward, **more: forward(x, attn_mask=None, **more)


def _gelu(clip: Any, s: list[tuple[str, int]]) -> None:
    import torch

    for tower, i in s:
        _blocks(clip, tower)[i].mlp.gelu = torch.nn.GELU()


def _pool(clip: Any, s: str) -> None:
    clip.text_pool_type = s


def _skip(clip: Any, s: tuple[str, int, str]) -> None:
    tower, i, part = s
    block = _blocks(clip, tower)[i]
    if part == "block":
        block.forward = lambda x, **more: x
    else:  # a residual branch whose last matrix gives nothing
        last = block.attn.out_proj if part == "attention" else block.mlp.c_proj
        last.weight.data.zero_()
        last.bias.data.zero_()


def _epsilon(clip: Any, s: float) -> None:
    import torch

    for part in clip.modules():
        if isinstance(part, torch.nn.LayerNorm):
            part.eps = s


def _rounded(clip: Any, s: tuple[str, str]) -> None:
    import torch

    weight = clip.get_parameter(s[0])
    weight.data = weight.data.to(getattr(torch, s[1])).float()


def _moved(clip: Any, s: float) -> None:
    """One tensor of another training step: off by a relative `s`, at random."""
    import torch

    weight = clip.get_parameter("visual.transformer.resblocks.2.mlp.c_fc.weight")
    weight.data *= 1 + s * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))


def _interpolated(clip: Any, s: float) -> None:
    """The grid of the image's positions to another size and back."""
    import torch

    table = clip.visual.positional_embedding.data
    side = int((len(table) - 1) ** 0.5)
    grid = table[1:].T.reshape(1, -1, side, side)
    there = torch.nn.functional.interpolate(grid, size=(round(s * side),) * 2, mode="bicubic", antialias=True)
    back = torch.nn.functional.interpolate(there, size=(side, side), mode="bicubic", antialias=True)
    clip.visual.positional_embedding.data = torch.cat([table[:1], back.reshape(grid.shape[1], -1).T])


def _positions_shifted(clip: Any, s: int) -> None:
    clip.positional_embedding.data = clip.positional_embedding.data.roll(s, 0)


def _half_norm(clip: Any, s: float) -> None:
    """LayerNorm wholly in fp16, its input `s` times as large."""
    compute_in_fp16(clip.visual.ln_post, s)


def _few_bits(model: "Model", device: str, s: int) -> Encoder:
    """Weights of all matrix products to `s` bits with one scale a tensor, as int8 collapses on outliers."""
    import torch

    from fixtures import truth
    from fixtures.backends._torch import TorchEncoder

    clip = truth.emulate_int8(model.module(), model.projections)
    for name, weight in clip.named_parameters():
        if weight.ndim == 2 and "embedding" not in name:
            step = weight.abs().max() / (2 ** (s - 1) - 1)
            weight.data = (weight / step).round() * step
    return Altered(TorchEncoder(clip, device, torch.float32), looks=False)


def _liar(really: str) -> Callable[["Model", str, Any], Encoder]:
    def load(model: "Model", device: str, s: bool) -> Encoder:
        from fixtures.backends.torch_eager import TorchEager

        return Altered(TorchEager().load(model, really, device), looks=s)

    return load


def _tokens(batch: Any, tower: str, s: tuple[str, int]) -> Any:
    if tower == "image":
        return batch
    batch, how, n = batch.copy(), *s
    ends = batch.argmax(axis=1)  # CLIP's end of text is its largest token
    for row, end in zip(batch, ends, strict=True):
        if how == "context" and end >= n:
            row[n - 1 :] = [row[end], *[0] * (len(row) - n)]
        elif how == "no start":
            row[:-1], row[-1] = row[1:].copy(), 0
        elif how == "vocabulary" and end > 1:
            row[1:end] = np.clip(row[1:end] + n, 0, row[end] - 2)
    return batch


EVERY = [(IMAGE, i) for i in range(6)] + [(TEXT, i) for i in range(3)]
MATRIX = "visual.transformer.resblocks.3.mlp.c_fc.weight"
FAULTS = (
    Fault(1, "mask-lost", ("E2",), {"in all blocks": [0, 1, 2], "in the last": [2], "in the first": [0]}, module(_without_mask)),
    Fault(7, "layernorm-in-fp16", ("E1", "E2", "E3", "E5"), {"overflows": 3e4, "squares overflow": 300.0, "fits": 1.0}, module(_half_norm, "fp16"), must=2),
    Fault(9, "tf32", ("E9",), {"on": True}, encoder(_liar("tf32"))),
    Fault(
        19, "gelu", ("E2",), {"in every block": EVERY, "in the text tower": EVERY[6:], "in one block": [(IMAGE, 5)]}, module(_gelu)),
    Fault(20, "wrong-token-pooled", ("E2",), {"the last": "last", "the first": "first"}, module(_pool)),
    Fault(22, "int8-collapse", ("E2", "E3", "E5"), {f"{n} bits": n for n in (3, 4, 5, 6, 7)}, encoder(_few_bits, "int8"), must=3),
    Fault(
        23, "other-weights", ("E2", "E3", "E5"), {"30 % of one tensor": 0.3, "1 %": 1e-2, "0.1 %": 1e-3, "0.01 %": 1e-4, "0.001 %": 1e-5},
        module(_moved), must=3),
    Fault(29, "stale-engine", ("E9",), {"fp32 for fp16, seen": True, "fp32 for fp16, unseen": False}, encoder(_liar("fp32"), "fp16")),
    Fault(
        31, "tokens", ("E2",), {"context of 16": ("context", 16), "context of 76": ("context", 76), "no start of text": ("no start", 0),
                                "vocabulary off by one": ("vocabulary", 1)}, source(_tokens)),
    Fault(
        33, "skipped", ("E2",),
        {"an image block": (IMAGE, 3, "block"), "a text block": (TEXT, 1, "block"), "an attention": (IMAGE, 1, "attention"),
         "an MLP": (IMAGE, 4, "mlp")}, module(_skip)),
    Fault(
        33, "epsilon", ("E2", "E3", "E5"), {"1e-3 for 1e-5": 1e-3, "1e-4": 1e-4, "2e-5": 2e-5, "1.1e-5": 1.1e-5, "1e-6": 1e-6, "1e-12": 1e-12},
        module(_epsilon), must=2),
    Fault(
        33, "weight-rounded", ("E2", "E3", "E5"), {"one matrix to fp8": (MATRIX, "float8_e4m3fn"), "to bf16": (MATRIX, "bfloat16"),
                                        "to fp16": (MATRIX, "float16")}, module(_rounded), must=2),
    Fault(34, "positions-interpolated", ("E2",), {"through half the grid": 0.5, "twice": 2.0, "9/7": 9 / 7}, module(_interpolated)),
    Fault(34, "positions-shifted", ("E2",), {"by one": 1}, module(_positions_shifted)),
)  # fmt: skip
