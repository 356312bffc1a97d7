"""Stores the worst inputs that searches found, and reads them back as regression inputs."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fixtures import truth
from fixtures.capability import Tower
from fixtures.errors import BadInput
from fixtures.storage.atomic import write_bytes, write_text
from fixtures.truth import PRECISIONS
from plugins.measures.drift.inputs.worst import Find, Grid, inputs
from plugins.measures.vectors.metrics import cosine_distance

if TYPE_CHECKING:
    from fixtures.models import Model

NAME = "worst.json"


@dataclass(frozen=True)
class Kept:
    """One find: the precision that it was searched for, and the reference's drift on it at every precision."""

    found_for: str
    tower: Tower
    value: Grid | str
    cosine_distance: dict[str, float]

    @property
    def name(self) -> str:
        """The name of the input in messages."""
        return f"{self.tower} found for {self.found_for}"


def folder(golden: Path, model_id: str) -> Path:
    """Return the folder of a model's finds, outside its golden data, which `--update-golden` replaces completely."""
    return golden / "drift" / model_id.replace(":", "-")


def write(where: Path, model: "Model", finds: Sequence[Find]) -> list[Kept]:
    """Write the finds with the reference's drift on each, images as PNG with one pixel per square; returns the finds."""
    from PIL import Image

    found, rows = [], []
    for find in finds:
        batch = inputs(model, find.tower, [find.value])
        exact = truth.float64(model, batch, find.tower, iter)
        drift = {p: float(cosine_distance(truth.at_precision(model, p, batch, find.tower), exact)[0]) for p in PRECISIONS}
        row: dict[str, Any] = {"found_for": find.found_for, "tower": find.tower, "cosine_distance": drift}
        if isinstance(find.value, str):
            row["text"] = find.value
        else:
            row["file"], file = f"{find.found_for}.png", io.BytesIO()
            Image.fromarray(find.value).save(file, format="PNG", optimize=True)
            write_bytes(where / row["file"], file.getvalue())
        found.append(Kept(find.found_for, find.tower, find.value, drift))
        rows.append(row)
    what = {"weights_sha256": model.weights_sha256, "inputs": rows}
    write_text(where / NAME, json.dumps(what, indent=1, ensure_ascii=False) + "\n")
    return found


def read(where: Path, model: "Model") -> list[Kept]:
    """Return the finds in a folder; none if it has none for these weights. Raises BadInput for a damaged file."""
    from PIL import Image

    if not (where / NAME).is_file():
        return []
    try:
        what = json.loads((where / NAME).read_text(encoding="utf-8"))
        if what["weights_sha256"] != model.weights_sha256:
            return []
        found = []
        for row in what["inputs"]:
            value: Grid | str = row.get("text", "")
            if row["tower"] == "image":
                with Image.open(where / row["file"]) as image:
                    value = np.asarray(image.convert("RGB"))
            found.append(Kept(row["found_for"], row["tower"], value, row["cosine_distance"]))
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(
            f"kept inputs in {where} cannot be read ({error!r}): restore them from git, or run `make drift`"
        ) from error
    return found
