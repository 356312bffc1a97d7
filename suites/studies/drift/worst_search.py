"""The search for worst inputs: from the kept finds on, for every lossy precision and both towers."""

from pathlib import Path
from typing import Any

import numpy as np

from fixtures import truth
from plugins.measures.drift.inputs import kept
from plugins.measures.drift.inputs.worst import PRECISIONS, Distance, Find, grid_of, search_image, search_text
from plugins.subjects import Subjects
from suites.studies.drift.audit import Step
from suites.studies.drift.sampling import TOWERS, Budget, sample

COMPARED = 64  # images of the data set that a find is shown beside; of texts it is all, which are quick
STARTS = 6  # the worst of these, images as grids, are where the search starts


def audit_worst(subjects: Subjects, golden: Path, step: Step) -> list[dict[str, Any]]:
    """Search, keep what was found, and show it beside the drift of the data set's own inputs."""
    model, budget, where = subjects.model, Budget(subjects.model), kept.folder(golden, subjects.model.id)
    before, finds = kept.read(where, model), []
    images = [find.value for find in before if not isinstance(find.value, str)]
    text_rows = truth.sample(model, len(subjects.dataset.texts))
    usual_inputs = {"image": sample(subjects, "image", COMPARED), "text": subjects.tokens[text_rows]}
    texts = [find.value for find in before if isinstance(find.value, str)]
    words = sorted({word for text in subjects.dataset.texts for word in text.split()})
    rows = []
    for precision in PRECISIONS:
        step(f"worst inputs for {precision}")
        measure = Distance(model, precision)
        usual = {tower: measure(usual_inputs[tower], tower) for tower in TOWERS}
        worst_texts = [subjects.dataset.texts[text_rows[i]] for i in np.argsort(-usual["text"])[:STARTS]]
        worst = [grid_of(usual_inputs["image"][i], subjects.model.geometry) for i in np.argsort(-usual["image"])[:STARTS]]
        for find in (
            search_image(measure, precision, [*images, *worst], budget.mutations),
            search_text(measure, precision, [*texts, *worst_texts], words, budget.examples),
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
