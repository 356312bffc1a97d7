"""Where errors arise and why, as data: cells layer by layer, dynamic ranges, and planted defects."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fixtures.capability import Encoder
from fixtures.errors import Unavailable
from fixtures.models import Model
from fixtures.registry import backends
from plugins.measures.drift.layers.findings import findings, headroom
from plugins.measures.drift.layers.profile import LayerError, Profile, profile
from plugins.measures.drift.layers.ranges import activation_ranges
from plugins.measures.drift.layers.weights import cell_errors, weight_ranges
from plugins.subjects import Subjects
from suites.studies.drift import planted
from suites.studies.drift.sampling import TOWERS, Budget, sample

CELLS = (
    ("torch-eager", "fp32"),
    ("torch-eager", "fp16"),
    ("torch-eager", "bf16"),
    ("torch-autocast", "fp16"),
    ("torch-autocast", "bf16"),
    ("transformers", "fp16"),
    ("onnxruntime", "fp32"),
    ("onnxruntime", "fp16"),
    ("onnxruntime", "int8"),
    ("torchao", "int8"),
    ("torch-dynamic-int8", "int8"),
    ("onnxruntime-optimized", "fp32"),
    ("tensorrt", "fp16"),
)
ENTERS = 0.1  # error enters a tower at the first layer whose own error is this share of the largest
Step = Callable[[str], None]


def load(model: Model, backend: str, precision: str) -> Encoder:
    """The cell on the CPU; raises Unavailable when it cannot run here or there is none."""
    chosen = backends()[backend]
    if not chosen.offers(precision, "cpu"):
        raise Unavailable(f"{backend} has no {precision} cell on the CPU, where the audit runs")
    chosen.available("cpu")
    return chosen.load(model, precision, "cpu")


def audit_cells(subjects: Subjects, step: Step, cells: Iterable[tuple[str, str]] = CELLS) -> dict[str, Any]:
    """Each cell's towers, layer by layer; cells that cannot run or be inspected are listed with the reason."""
    model, exact, budget = subjects.model, subjects.model.module().double(), Budget(subjects.model)
    found: dict[str, Any] = {"cells": [], "skipped": []}
    for backend, precision in cells:
        step(f"layers of {backend} {precision}")
        try:
            encoder = load(model, backend, precision)
            for tower in TOWERS:
                whole = profile(exact, encoder, sample(subjects, tower, budget.layers), tower)
                found["cells"].append({"backend": backend, "precision": precision, "tower": tower, **as_json(whole)})
            found["cells"][-1]["weight_error"] = worst_weight(cell_errors(model, encoder))
        except Unavailable as reason:
            found["skipped"].append({"backend": backend, "precision": precision, "reason": str(reason)})
    return found


def as_json(whole: Profile) -> dict[str, Any]:
    """A profile's figures, medians and maxima over the inputs, and what stands out."""
    named = findings(whole.rows)
    jumps = [finding.layer for finding in named if finding.what == "jump"]
    own = [float(np.median(layer.own)) for layer in whole.layers]
    enters = next((layer.name for layer, error in zip(whole.layers, own, strict=True) if error >= ENTERS * max(own)), None)
    rows, before = [], None
    for layer in whole.layers:
        rows.append(_row(layer))
        if layer.block is None or layer.name.endswith(f"resblocks.{layer.block}"):  # what the next block is given
            total = rows[-1]["total"]["median"]
            rows[-1] |= {"growth": total / before} if layer.block is not None and before else {}
            before = total
    return {
        "how": whole.how,
        "disturbance": whole.disturbance,
        "inputs": whole.inputs,
        "enters_at": enters,
        "first_jump": jumps[0] if jumps else None,
        "findings": [finding.as_json() for finding in named],
        "layers": rows,
    }


def _row(layer: LayerError) -> dict[str, Any]:
    errors = {key: getattr(layer, key) for key in ("total", "own", "cosine")}
    return {
        "name": layer.name,
        "kind": layer.kind,
        "dtype": layer.dtype,
        "largest": layer.largest,
        "headroom_bits": headroom(layer),
        "flushed_share": layer.flushed,
        **{key: {"median": float(np.median(values)), "max": float(np.max(values))} for key, values in errors.items()},
    }


def audit_ranges(subjects: Subjects, step: Step) -> dict[str, Any]:
    """Dynamic range of activations (over the data set) and of weights, by tower."""
    found: dict[str, Any] = {}
    for tower in TOWERS:
        step(f"dynamic range of the {tower} tower")
        batch = sample(subjects, tower, Budget(subjects.model).ranges)
        activations = [row.as_json() for row in activation_ranges(subjects.model, batch, tower)]
        found[tower] = {"inputs": len(batch), "activations": activations, "weights": weight_ranges(subjects.model, tower)}
    return found


def audit_planted(subjects: Subjects, step: Step) -> list[dict[str, Any]]:
    """Each defect in each tower of a torch-eager fp16 cell: the layer that it was planted in, and the one that is named."""
    rows = []
    for kind, what in planted.KINDS.items():
        for tower in TOWERS:
            step(f"{what}, planted in the {tower} tower")
            batch = sample(subjects, tower, Budget(subjects.model).layers)
            model, encoder, layer = planted.plant(kind, subjects.model, tower, batch)
            whole = profile(model.module().double(), encoder, batch, tower)
            named = findings(whole.rows)
            rows.append(
                {
                    "defect": what,
                    "tower": tower,
                    "planted_in": layer,
                    "named": named[0].layer if named else None,
                    "drift": float(np.median(whole.rows[-1].cosine)),
                    "findings": [finding.as_json() for finding in named],
                    "weight_error": worst_weight(cell_errors(subjects.model, encoder)) if kind == "fp8" else {},
                }
            )
    return rows


def worst_weight(errors: dict[str, float]) -> dict[str, Any]:
    """The matrix that differs most from the model's, beside the median of all; nothing where none can be seen."""
    if not errors:
        return {}
    name = max(errors, key=lambda key: errors[key])
    return {"name": name, "error": errors[name], "median": float(np.median(list(errors.values())))}
