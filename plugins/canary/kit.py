"""Writes the kit: canary.json, canary.py and the image files, in a folder that is whole or absent."""

import base64
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fixtures.capability import Array
from fixtures.errors import BadInput
from plugins.canary import check, choice
from plugins.golden.verified import Golden, names_of
from plugins.measures.vectors.metrics import add_angles
from plugins.run import environment
from plugins.subjects import Subjects

LARGEST = 100_000  # bytes of a kit
OTHERS = 14_000  # bytes of what is neither a vector nor an image
BASE64 = 6  # bytes of a number
REFERENCE = "torch eager, fp32, CPU, batch 1, certified against float64; vectors: raw, float32, little-endian, base64"


def write(subjects: Subjects, golden: Golden, precision: str, preprocessor: str, target: Path) -> int:
    """Write the kit for a service of this precision and preprocessor; return its bytes. Raises BadInput, NoBudget."""
    if target.exists():
        raise BadInput(f"{target} exists: expected a folder that this command makes; remove it, or name another one")
    model, dataset = subjects.model, subjects.dataset
    lines = choice.texts(subjects, golden.text)
    room = LARGEST - OTHERS - 2 * choice.EACH * BASE64 * golden.image.shape[1]
    rows = choice.images(subjects, preprocessor, golden.image, room)
    names, words = [dataset.images[row] for row in rows], [dataset.texts[line] for line in lines]
    of_texts = names_of(subjects, "text")
    budget = golden.budget(preprocessor, "cosine_distance")
    limits = add_angles(golden.limits(precision, "image", "cosine_distance", names), budget)
    norms = golden.limits(precision, "image", "norm_ratio", names) if budget == 0 else None
    text_names = [of_texts[line] for line in lines]
    files = {f"images/{i}{Path(name).suffix}": Path(dataset.path(name)) for i, name in enumerate(names)}
    kit: dict[str, Any] = {
        "schema": 1,
        "model": {"name": model.name, "pretrained": subjects.pretrained, "weights_sha256": model.weights_sha256},
        "precision": precision,
        "preprocessor": preprocessor,
        "reference": REFERENCE,
        "commit": environment.commit(),
        "images": _entries("file", list(files), golden.image[rows], limits, norms),
        "texts": _entries(
            "text",
            words,
            golden.text[lines],
            golden.limits(precision, "text", "cosine_distance", text_names),
            golden.limits(precision, "text", "norm_ratio", text_names),
        ),
    }
    kit["certificate"] = check.certificate(kit, [path.read_bytes() for path in files.values()])
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".canary-") as place:
        made = Path(place) / "kit"
        (made / "images").mkdir(parents=True)
        for name, path in files.items():
            shutil.copyfile(path, made / name)
        (made / "canary.json").write_text(json.dumps(kit, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        shutil.copyfile(check.__file__, made / "canary.py")
        size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
        if size > LARGEST:
            raise BadInput(f"the kit would have {size} bytes, expected at most {LARGEST}: a data set with smaller image files")
        made.rename(target)
    return size


def _entries(
    kind: str, names: Sequence[str], vectors: Array, cosine: NDArray[np.float64], norm: NDArray[np.float64] | None
) -> list[dict[str, Any]]:
    return [
        {
            kind: name,
            "cosine": float(cosine[i]),
            "norm": None if norm is None else float(norm[i]),
            "vector": base64.b64encode(vectors[i].astype("<f4").tobytes()).decode(),
        }
        for i, name in enumerate(names)
    ]
