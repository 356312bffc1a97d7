"""Measures how a cell's error grows from layer to layer, and each layer's own error, against float64 on the same inputs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fixtures.capability import Array, Encoder, Tokens, Tower
from plugins.measures.drift.layers.layers import INPUT, Layer, layers, text_tower

if TYPE_CHECKING:
    import torch

Float64 = NDArray[np.float64]
ROWS = 8  # inputs at a time, because the activations of all layers are in memory, the cell's and float64's


@dataclass
class LayerError:
    """Errors of one layer; arrays are [N], one value per input, infinite if the cell's output is not finite.

    `kind` is the kind of the layer, or of an earlier layer that was fused into it.
    `total` is the relative error (Euclidean) to float64 computed from the pixels or tokens: the accumulated error.
    `own` is the relative error to float64 computed from the cell's own inputs of this layer: the error that the layer adds,
    the root mean square over tokens. One token with massive activations would hide all others in one norm of the whole.
    `cosine` is the cosine distance of both outputs, flattened. `largest` is the largest magnitude in the cell's output.
    """

    name: str
    kind: str
    block: int | None
    dtype: str  # of the cell's output, as torch names it
    total: Float64
    own: Float64
    cosine: Float64
    largest: float
    flushed: float  # share of the outputs that are 0 but not 0 in float64


@dataclass
class Profile:
    """A tower of a cell: its layers in order, how they were captured, and the relative change of the result by the capture.

    `rows` include steps within layers, of kind "inner", for their magnitudes; `layers` exclude them.
    """

    rows: list[LayerError]
    how: str
    disturbance: float
    inputs: int

    @property
    def layers(self) -> list[LayerError]:
        """The rows that are compared with neighbours."""
        return [row for row in self.rows if row.kind != "inner"]


def profile(exact: Any, encoder: Encoder, batch: Array | Tokens, tower: Tower) -> Profile:
    """Return the errors of all layers; `exact` is the module in float64. Raises Unavailable if the cell cannot be inspected."""
    import torch

    known = layers(exact, tower)
    capture = encoder.layers(tower, known)
    step = min(ROWS, encoder.max_batch or ROWS)
    parts: dict[str, list[Any]] = {layer.name: [] for layer in known}
    changed = []
    with torch.inference_mode():
        for start in range(0, len(batch), step):
            rows = batch[start : start + step]
            found = capture.outputs(rows)
            if capture.as_it_runs:
                changed.append(_change(found[known[-1].name], encoder.encode(rows, tower)))
            for name, part in _compare(known, found, rows, exact, tower).items():
                parts[name].append(part)
    found_rows = [_row(layer, parts[layer.name]) for layer in known if parts[layer.name]]
    for row, after in zip(found_rows[-2::-1], found_rows[:0:-1], strict=True):
        row.dtype = row.dtype or after.dtype  # a hidden step gets the type of the layer around it
    return Profile(found_rows, capture.how, max(changed, default=0.0), len(batch))


def outputs(
    module: Any, known: Sequence[Layer], batch: Array | Tokens, tower: Tower
) -> Iterator[tuple[Layer, "torch.Tensor", "torch.Tensor | None"]]:
    """Compute layers in the module's own precision, a few inputs at a time; run it under torch.inference_mode.

    Yield each layer, its output, and which tokens count, bool [N, T]; None if all do.
    """
    import torch

    for start in range(0, len(batch), ROWS):
        given = torch.from_numpy(np.ascontiguousarray(batch[start : start + ROWS]))
        kept = used_tokens(module, given) if tower == "text" else None
        values = {INPUT: given}
        for layer in known:
            values[layer.name] = layer.compute(*(values[name] for name in layer.inputs))
            yield layer, values[layer.name], kept


def _compare(known: list[Layer], found: dict[str, Any], rows: Any, exact: Any, tower: Tower) -> dict[str, Any]:
    """Return per layer: dtype; total, own and cosine error per input; largest magnitude; flushed values; all values; kind."""
    import torch

    given = torch.from_numpy(np.ascontiguousarray(rows))
    given = given.double() if tower == "image" else given
    kept = used_tokens(exact, given) if tower == "text" else None
    truth: dict[str, Any] = {INPUT: given}
    cell: dict[str, Any] = {INPUT: given}
    result = {}
    fused = ""  # kind of a layer without an output of its own: its error shows in the next output
    for layer in known:
        truth[layer.name] = layer.compute(*(truth[name] for name in layer.inputs))
        replayed = layer.compute(*(cell[name] for name in layer.inputs))
        hidden = layer.name not in found
        if hidden and layer.kind != "inner":
            cell[layer.name], fused = replayed, fused or layer.kind
            continue
        tensor = replayed if hidden else found[layer.name]
        tensor = layer.pool(tensor) if layer.pool and tensor.ndim == 3 else tensor
        cell[layer.name] = tensor.double()
        output, wanted = (_flat(x, kept) for x in (cell[layer.name], truth[layer.name]))
        flushed = float(((output == 0) & (wanted != 0)).sum())
        summed = [cell[name] for name in layer.inputs] if layer.kind == "residual" else []
        errors = [_relative(output, wanted), _of_tokens(cell[layer.name], replayed, summed, kept), _cosine(output, wanted)]
        dtype = "" if hidden else str(tensor.dtype).removeprefix("torch.")
        kind = layer.kind if layer.kind == "inner" else fused or layer.kind
        result[layer.name] = (dtype, errors, float(output.abs().max()), flushed, output.numel(), kind)
        fused = fused if kind == "inner" else ""
    return result


def used_tokens(module: Any, tokens: "torch.Tensor") -> "torch.Tensor | None":
    """Return bool [N, T]: the tokens up to the pooled one, which determine a causal tower's result; None if all of them do."""
    import torch

    text, pool_type, last = text_tower(module)
    if pool_type not in ("argmax", "eos") or text.attn_mask is None:
        return None
    end = tokens.argmax(dim=-1) if pool_type == "argmax" else (tokens == last).int().argmax(dim=-1)
    return torch.arange(tokens.shape[1])[None] <= end[:, None]


def _flat(x: Any, kept: Any) -> Any:
    """Return [N, all values], with values that cannot affect the result set to 0."""
    return (x.masked_fill(~kept[..., None], 0) if kept is not None and x.ndim == 3 else x).flatten(1)


def _relative(found: Any, wanted: Any) -> Float64:
    error = (found - wanted).norm(dim=1)
    size = wanted.norm(dim=1)
    values = np.asarray(error.where(error == 0, error / size).numpy(), np.float64)
    return np.where(np.isfinite(values), values, np.inf)


def _of_tokens(found: Any, wanted: Any, summed: Sequence[Any], kept: Any) -> Float64:
    """Return the root mean square over tokens of their relative errors [N]; what is no sequence [N, T, D] is one token.

    The error of a sum is relative to the largest of its operands, which it was `summed` from: they may cancel.
    """
    import torch

    output, own, *operands = (x if x.ndim == 3 else x.flatten(1)[:, None] for x in (found, wanted, *summed))
    error = (output - own).norm(dim=2)
    size = torch.stack([x.norm(dim=2) for x in (own, *operands)]).amax(dim=0)
    squares = error.where(error == 0, error / size) ** 2
    counted = kept if kept is not None and kept.shape == squares.shape else torch.ones_like(squares, dtype=torch.bool)
    values = np.asarray((squares.where(counted, 0).sum(dim=1) / counted.sum(dim=1)).sqrt().numpy(), np.float64)
    return np.where(np.isfinite(values), values, np.inf)


def _cosine(found: Any, wanted: Any) -> Float64:
    """Return the cosine distance as half the squared distance of the unit vectors, which is exact for tiny angles."""
    difference = found / found.norm(dim=1, keepdim=True) - wanted / wanted.norm(dim=1, keepdim=True)
    values = np.asarray(0.5 * (difference**2).sum(dim=1).numpy(), np.float64)
    return np.where(np.isfinite(values), values, np.inf)


def _change(watched: Any, plain: Array) -> float:
    found, wanted = watched.double().numpy(), plain.astype(np.float64)
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted)) if np.isfinite(wanted).all() else 0.0


def _row(layer: Layer, parts: list[Any]) -> LayerError:
    total, own, cosine = (np.concatenate([part[1][i] for part in parts]) for i in range(3))
    largest = max(part[2] if np.isfinite(part[2]) else np.inf for part in parts)
    flushed = sum(part[3] for part in parts) / sum(part[4] for part in parts)
    return LayerError(layer.name, parts[0][5], layer.block, parts[0][0], total, own, cosine, largest, flushed)
