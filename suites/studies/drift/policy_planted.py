"""Defects of a low-precision run that a policy can heal, planted in torch-eager's fp16 module; the fp32 weights stay good."""

from collections.abc import Callable, Sequence
from typing import Any

from fixtures.backends._torch import TorchEncoder
from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Backend, Encoder
from suites.studies.half_norm import compute_in_fp16

OVERFLOW = "visual.transformer.resblocks.3.attn"
FP8 = "transformer.resblocks.1.mlp.c_fc"
NORM = "transformer.resblocks.0.ln_1"  # reads embeddings of about 0.02, whose squares are small numbers of fp16
SCALE = 2.0**15  # of values of 2 to 4, in the default model as in ViT-B-32 random:0, which makes 60,000 and more


def overflow(module: Any) -> None:
    """Scale the values that an attention sums by a power of 2, and its output projection back: exact but for the range."""
    attention = module.get_submodule(OVERFLOW)
    width = attention.embed_dim
    attention.in_proj_weight[2 * width :] *= SCALE
    attention.in_proj_bias[2 * width :] *= SCALE
    attention.out_proj.weight /= SCALE


def fp8(module: Any) -> None:
    """Round one layer's weights to fp8 (4 bits of exponent, 3 of mantissa)."""
    import torch

    layer = module.get_submodule(FP8)
    layer.weight.copy_(layer.weight.to(torch.float8_e4m3fn).to(layer.weight.dtype))


def norm(module: Any) -> None:
    """Compute a LayerNorm in fp16 as naive kernels do."""
    compute_in_fp16(module.get_submodule(NORM), one_pass=True)


# What it is, the operation that has to stay in fp32, and how it is planted.
DEFECTS: dict[str, tuple[str, str, Callable[[Any], None]]] = {
    "overflow": ("a block whose activations are scaled to 60,000", OVERFLOW, overflow),
    "fp8": ("one layer's weights rounded to fp8", FP8, fp8),
    "norm": ("a LayerNorm computed in fp16", NORM, norm),
}


def faulty(defects: Sequence[str]) -> Backend:
    """torch-eager whose fp16 runs have these defects."""

    class Faulty(TorchEager):
        name = "faulty"
        precisions = ("fp16",)

        def load(self, model, precision, device) -> Encoder:  # type: ignore[no-untyped-def]
            encoder = super().load(model, precision, device)
            assert isinstance(encoder, TorchEncoder)
            for defect in defects:
                DEFECTS[defect][2](encoder.module)
            return encoder

    return Faulty()
