"""The layers that the audit reports: for an overflow, for little headroom, or for a jump of the error."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from plugins.measures.drift.layers.profile import LayerError

if TYPE_CHECKING:
    import torch

HEADROOM = 1.0  # bits; with less, an input that doubles the activation causes an overflow
RATIO = 1.6  # of a jump; a correct first attention layer reaches 1.41 times its neighbours
RATIO_OF = {"norm": 1.4}  # norms vary less; a norm computed in fp16 has 1.5 to 2.6 times the error of its neighbours
FEW, RATIO_OF_FEW = 5, 2.5  # the ratio with fewer than FEW neighbours, whose spread is uncertain
SPREADS = 6.0  # a jump also exceeds the neighbours by this many times their spread
LEAST_SPREAD = 0.03  # of logarithms: the effect of sampling other inputs
ROUNDING = 0.55  # error of rounding one random output, in half units in the last place: 0.42 measured, 0.58 at most
ROUNDINGS = {"norm": 1, "residual": 2}  # unavoidable roundings of a layer of this kind
INSIDE = 12  # roundings inside an fp32 norm; fp16 and bf16 norms compute in fp32 inside
MATTERS = 0.5  # an own error below this share of the matrix products' error does not show in the embedding
ALONE = 8.0  # the ratio for a layer without neighbours of its kind, relative to all matrix products
PRODUCTS = ("attention", "mlp", "projection")
GRAVEST = ("overflow", "headroom", "jump")


@dataclass(frozen=True)
class Finding:
    """A layer, its problem ("overflow", "headroom" or "jump"), the figure, and a sentence with the figure."""

    layer: str
    what: str
    value: float
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """Return the finding as a JSON object; an infinite value becomes a string."""
        return {**asdict(self), "value": self.value if math.isfinite(self.value) else str(self.value)}


def findings(rows: Sequence[LayerError]) -> list[Finding]:
    """Return the findings, the gravest first: an overflow, little headroom, then jumps from the largest on.

    Jump: a layer's own error (median over the inputs) is compared with those of its neighbours, the other layers of its kind
    and output type in the same tower. It is a jump if all of these hold: it is at least RATIO times their median (RATIO_OF_FEW
    with fewer than FEW neighbours); its logarithm exceeds theirs by at least SPREADS times their spread (median absolute
    deviation of logarithms, at least LEAST_SPREAD); the roundings of its output do not explain it; and it is at least MATTERS
    times the error of matrix products. Errors in the layer's input do not count, because float64 gets the same input.
    Headroom and overflow are each reported once, for the first layer.
    """
    found: list[Finding] = []
    for row in rows:
        bits = headroom(row)
        if bits < 0 and not _said(found, "overflow"):
            what = f"needs {row.largest:.0f}, beyond" if np.isfinite(row.largest) else "holds Inf or NaN, beyond"
            found.append(Finding(row.name, "overflow", bits, f"{what} the largest {row.dtype}"))
        elif 0 <= bits < HEADROOM and not _said(found, "headroom"):
            sentence = f"reaches {row.largest:.0f}, {bits:.2f} bits below the largest {row.dtype}"
            found.append(Finding(row.name, "headroom", bits, sentence))
        jump = _jump(row, rows) if row.kind != "inner" else None
        if jump:
            found.append(jump)
    return sorted(found, key=lambda finding: (GRAVEST.index(finding.what), -finding.value))


def headroom(row: LayerError) -> float:
    """Return the bits between the largest magnitude and the largest number of the output's type; -inf after an overflow."""
    if not np.isfinite(row.largest):
        return -math.inf
    return math.log2(_type(row).max / max(row.largest, 1e-300))


def neighbours(row: LayerError, rows: Sequence[LayerError]) -> tuple[list[float], bool]:
    """Return the median own errors of the layers that `row` is compared with, and whether they are of its kind."""
    alone = row.kind == "embedding"
    of_kind = [other for other in rows if (other.kind, other.dtype) == (row.kind, row.dtype) and other is not row and not alone]
    alike = len(of_kind) >= 2
    chosen = of_kind if alike else [other for other in rows if other.kind in PRODUCTS and other is not row]
    return [value for other in chosen if np.isfinite(value := float(np.median(other.own)))], alike


def _jump(row: LayerError, rows: Sequence[LayerError]) -> Finding | None:
    others, alike = neighbours(row, rows)
    own = float(np.median(row.own))
    if not others or not np.isfinite(own) or own <= unavoidable(row):
        return None
    usual = float(np.median(others))
    if usual == 0:
        return Finding(row.name, "jump", math.inf, f"its own error is {own:.2g}, its neighbours have none")
    logs = np.log(np.maximum(others, 1e-300))
    spread = max(LEAST_SPREAD, float(np.median(np.abs(logs - np.median(logs)))))
    enough = RATIO_OF.get(row.kind, RATIO) if len(others) >= FEW else RATIO_OF_FEW
    times, enough = own / usual, enough if alike else ALONE
    if times < enough or (alike and math.log(times) < SPREADS * spread) or own < MATTERS * _of_products(row, rows):
        return None
    sentence = f"its own error is {own:.2g}, {times:.1f} times that of its neighbours ({usual:.2g})"
    return Finding(row.name, "jump", times, sentence)


def _of_products(row: LayerError, rows: Sequence[LayerError]) -> float:
    """Return the median own error of the other matrix products; 0 if there are none."""
    own = [float(np.median(other.own)) for other in rows if other.kind in PRODUCTS and other is not row]
    return float(np.median([error for error in own if np.isfinite(error)] or [0.0]))


def unavoidable(row: LayerError) -> float:
    """Return the relative error due to rounding the output (and, in a residual, the sum before it) to its type."""
    roundings = INSIDE if row.kind == "norm" and row.dtype == "float32" else ROUNDINGS.get(row.kind, 1)
    return float(ROUNDING * _type(row).eps / 2 * math.sqrt(roundings))


def _type(row: LayerError) -> "torch.finfo":
    """Return the limits of the output's type; those of fp32 unless it is fp16 or bf16."""
    import torch

    return torch.finfo({"float16": torch.float16, "bfloat16": torch.bfloat16}.get(row.dtype, torch.float32))


def _said(found: list[Finding], what: str) -> bool:
    return any(finding.what == what for finding in found)
