"""Weights: their range relative to a format's, their rounding error by channel, and the error of a cell's copies."""

from typing import TYPE_CHECKING, Any

import numpy as np

from fixtures.capability import Encoder, Tower
from plugins.measures.drift.layers.ranges import Range

if TYPE_CHECKING:
    from fixtures.models import Model


def weight_ranges(model: "Model", tower: Tower) -> list[dict[str, Any]]:
    """Return the range of every parameter of a tower, and for matrices the int8 rounding error by output channel."""
    rows = []
    for name, tensor in model.state.items():
        if name.startswith("visual.") != (tower == "image") or name.startswith("logit_") or not tensor.is_floating_point():
            continue
        found = Range(name)
        found.add(tensor.flatten(1) if tensor.ndim > 1 else tensor[None])
        row = {key: value for key, value in found.as_json().items() if not key.startswith("outlier")}
        if tensor.ndim == 2 and "embedding" not in name:
            row["int8"] = int8_error(tensor.T if name in model.projections else tensor)
        else:
            del row["int8"]
        rows.append(row)
    return rows


def int8_error(weight: Any) -> dict[str, Any]:
    """Return the relative error (Euclidean) per output channel [rows] after symmetric int8 rounding, one scale per channel."""
    scale = weight.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / 127
    rounded = (weight / scale).round() * scale
    errors = ((rounded - weight).norm(dim=1) / weight.norm(dim=1).clamp_min(1e-12)).double().numpy()
    worst = int(errors.argmax())
    return {"channel_error": {"median": float(np.median(errors)), "max": float(errors[worst]), "worst_channel": worst}}


def cell_errors(model: "Model", encoder: Encoder) -> dict[str, float]:
    """Return the relative error (Euclidean) of a cell's weight matrices, by name; empty if the cell hides them."""
    found = {}
    for name, used in encoder.weights():
        wanted = model.state.get(name)
        if wanted is not None and wanted.ndim == 2:
            found[name] = float((used.double() - wanted).norm() / wanted.norm())
    return found
