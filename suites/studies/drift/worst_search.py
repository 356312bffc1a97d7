"""The search for worst inputs: from the kept finds on, for every lossy precision and both towers."""

from pathlib import Path
from typing import Any

import numpy as np

from plugins.measures.drift.inputs import kept
from plugins.measures.drift.inputs.worst import PRECISIONS, Distance, Find, grid_of, search_image, search_text
from plugins.subjects import Subjects
from suites.studies.drift.audit import Step
from suites.studies.drift.sampling import TOWERS, Budget, sample

COMPARED = 64  # inputs of the data set that a find is shown beside
STARTS = 6  # the worst images of these, as grids, are where the search starts


def audit_worst(subjects: Subjects, golden: Path, step: Step) -> list[dict[str, Any]]:
    """Search, keep what was found, and show it beside the drift of the data set's own inputs."""
    model, budget, where = subjects.model, Budget(subjects.model), kept.folder(golden, subjects.model.id)
    before, finds = kept.read(where, model), []
    images = [find.value for find in before if not isinstance(find.value, str)]
    usual_inputs = {tower: sample(subjects, tower, COMPARED) for tower in TOWERS}
    texts = [find.value for find in before if isinstance(find.value, str)]
    words = sorted({word for text in subjects.dataset.texts for word in text.split()})
    rows = []
    for precision in PRECISIONS:
        step(f"worst inputs for {precision}")
        measure = Distance(model, precision)
        usual = {tower: measure(batch, tower) for tower, batch in usual_inputs.items()}
        worst = [grid_of(usual_inputs["image"][i], subjects.model.geometry) for i in np.argsort(-usual["image"])[:STARTS]]
        for find in (
            search_image(measure, precision, [*images, *worst], budget.mutations),
            search_text(measure, precision, texts, words, budget.examples),
        ):
            known = usual[find.tower]
            finds.append(find)
            rows.append(
                {
                    "tower": find.tower,
                    "found_for": precision,
                    "input": _shown(find),
                    "distance": find.distance,
                    "of_data_set": {"median": float(np.median(known)), "max": float(known.max()), "inputs": len(known)},
                }
            )
    for row, written in zip(rows, kept.write(where, model, finds), strict=True):
        row["cosine_distance"] = written.cosine_distance
    return rows


def _shown(find: Find) -> str:
    return find.value if isinstance(find.value, str) else f"{find.found_for}.png"
