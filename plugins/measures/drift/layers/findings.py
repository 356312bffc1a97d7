"""Which layers the audit names, and why: an output that overflows, one that is about to, or an error that jumps."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from plugins.measures.drift.layers.profile import LayerError

if TYPE_CHECKING:
    import torch

HEADROOM = 1.0  # bits: with less, an input that doubles the activation overflows
RATIO = 1.6  # of a jump: a clean first attention reaches 1.41 times its neighbours
RATIO_OF = {"norm": 1.4}  # norms are alike; one computed in fp16 has 1.5 to 2.6 times the error of its neighbours
FEW, RATIO_OF_FEW = 5, 2.0  # fewer neighbours than that say little about their spread
SPREADS = 6.0  # and by so many times their own spread
LEAST_SPREAD = 0.03  # of logarithms: what sampling other inputs changes
ROUNDING = 0.55  # what rounding one random output costs, in halves of a unit in the last place: 0.42 measured, 0.58 at most
ROUNDINGS = {"norm": 1, "residual": 2}  # that a layer of this kind cannot do without
INSIDE = 12  # of a norm in fp32, whose steps round as its output does; halves are computed in fp32 inside
MATTERS = 0.5  # an own error smaller than this share of what products have does not show in the embedding
ALONE = 8.0  # the ratio for a layer without neighbours of its kind, beside all that multiply matrices
PRODUCTS = ("attention", "mlp", "projection")


@dataclass(frozen=True)
class Finding:
    """A layer, its defect ("overflow", "headroom" or "jump"), the figure, and a sentence with the figure."""

    layer: str
    what: str
    value: float
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """The finding for JSON, which has no infinite numbers."""
        return {**asdict(self), "value": self.value if math.isfinite(self.value) else str(self.value)}


def findings(rows: Sequence[LayerError]) -> list[Finding]:
    """In the order of the layers, so that the first is the cause and later ones may be its consequences.

    Jump: a layer's own error (median over the inputs) is compared with its neighbours, that is the other layers of its kind
    and output type in the same tower. It jumps when it is RATIO times their median or more (RATIO_OF_FEW among FEW), its
    logarithm lies SPREADS times their spread (median absolute deviation of logarithms, at least LEAST_SPREAD) or more above
    theirs, the roundings of its output do not explain it, and it MATTERS. What the layer was given does not count: float64
    was given the same. Headroom is said once, of the first layer that lacks it, and overflow likewise.
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
    return found


def headroom(row: LayerError) -> float:
    """Bits between the largest magnitude and the largest finite number of the output's own type; -inf after an overflow."""
    if not np.isfinite(row.largest):
        return -math.inf
    return math.log2(_type(row).max / max(row.largest, 1e-300))


def neighbours(row: LayerError, rows: Sequence[LayerError]) -> tuple[list[float], bool]:
    """Median own errors of the layers that `row` is compared with, and whether they are of its kind."""
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
    """The usual own error of what multiplies matrices; 0 where nothing else does."""
    own = [float(np.median(other.own)) for other in rows if other.kind in PRODUCTS and other is not row]
    return float(np.median([error for error in own if np.isfinite(error)] or [0.0]))


def unavoidable(row: LayerError) -> float:
    """The relative error that rounding the output (and, in a residual, the sum before it) to its type explains."""
    roundings = INSIDE if row.kind == "norm" and row.dtype == "float32" else ROUNDINGS.get(row.kind, 1)
    return float(ROUNDING * _type(row).eps / 2 * math.sqrt(roundings))


def _type(row: LayerError) -> "torch.finfo":
    """Of a layer's output: fp32's where it is none of the two halves."""
    import torch

    return torch.finfo({"float16": torch.float16, "bfloat16": torch.bfloat16}.get(row.dtype, torch.float32))


def _said(found: list[Finding], what: str) -> bool:
    return any(finding.what == what for finding in found)
