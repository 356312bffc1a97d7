"""A LayerNorm computed in fp16, the defect that several studies plant."""

from typing import Any


def compute_in_fp16(norm: Any, scale: float = 1.0, one_pass: bool = False) -> None:
    """Make this LayerNorm round each step to fp16: mean, difference, variance, root, quotient, scale, shift.

    `scale` multiplies its input: without overflow that changes nothing but rounding. `one_pass`: as naive kernels do it, with
    sums value by value and the variance as the difference of two means.
    """

    def forward(x: Any) -> Any:
        rows = scale * x.half()
        if one_pass:
            mean, variance = _one_pass(rows)
            scaled = (rows - mean) * (variance + norm.eps).rsqrt()
        else:
            difference = rows - rows.mean(-1, keepdim=True)
            scaled = difference / (difference.square().mean(-1, keepdim=True) + norm.eps).sqrt()
        return (scaled * norm.weight.half() + norm.bias.half()).to(x.dtype)

    norm.forward = forward


def _one_pass(rows: Any) -> tuple[Any, Any]:
    total = squares = rows.new_zeros(rows[..., :1].shape)
    for value in rows.split(1, dim=-1):
        total, squares = total + value, squares + value * value
    mean = total / rows.shape[-1]
    return mean, squares / rows.shape[-1] - mean * mean
