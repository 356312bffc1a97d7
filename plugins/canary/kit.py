"""Writes the kit: canary.json, canary.py and the image files, in a folder that is whole or absent."""

import base64
import io
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fixtures import truth
from fixtures.capability import Array, Tokens, Tower
from fixtures.errors import BadInput
from fixtures.registry import preprocessors
from plugins.canary import check, choice
from plugins.canary import made as made_of
from plugins.golden.verified import Golden, names_of
from plugins.measures.vectors.metrics import METRICS as METRICS_OF
from plugins.measures.vectors.metrics import add_angles
from plugins.run import environment
from plugins.subjects import Subjects

LARGEST = 100_000  # bytes of a kit
OTHERS = 22_000  # bytes of what is neither a vector nor an image
METRICS = ("cosine_distance", "norm_ratio")
BASE64 = 6  # bytes of a number
REFERENCE = "torch eager, fp32, CPU, batch 1, certified against float64; vectors: raw, float32, little-endian, base64"


def write(subjects: Subjects, golden: Golden, precision: str, preprocessor: str, target: Path) -> int:
    """Write the kit for a service of this precision and preprocessor; return its bytes. Raises BadInput, NoBudget."""
    if target.exists():
        raise BadInput(f"{target} exists: expected a folder that this command makes; remove it, or name another one")
    model = subjects.model
    images, texts = _images(subjects, golden, precision, preprocessor), _texts(subjects, golden, precision)
    files = {f"images/{i}{each.suffix}": each.given for i, each in enumerate(images)}
    kit: dict[str, Any] = {
        "schema": 1,
        "model": {"name": model.name, "pretrained": subjects.pretrained, "weights_sha256": model.weights_sha256},
        "precision": precision,
        "preprocessor": preprocessor,
        "reference": REFERENCE,
        "commit": environment.commit(),
        "images": [_entry("file", name, each) for name, each in zip(files, images, strict=True)],
        "texts": [_entry("text", each.given, each) for each in texts],
    }
    kit["certificate"] = check.certificate(kit, list(files.values()))
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".canary-") as place:
        made = Path(place) / "kit"
        (made / "images").mkdir(parents=True)
        for name, content in files.items():
            (made / name).write_bytes(content)
        (made / "canary.json").write_text(json.dumps(kit, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        shutil.copyfile(check.__file__, made / "canary.py")
        size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
        if size > LARGEST:
            raise BadInput(f"the kit would have {size} bytes, expected at most {LARGEST}: a data set with smaller image files")
        made.rename(target)
    return size


@dataclass(frozen=True)
class Chosen:
    """An image file or a text, its vector [D] and its limits; no limit for lengths where those are not judged."""

    given: Any
    suffix: str
    vector: Array
    cosine: float
    norm: float | None


def _images(subjects: Subjects, golden: Golden, precision: str, preprocessor: str) -> list[Chosen]:
    """Two that are made, and some of the data set's."""
    dataset, reference = subjects.dataset, preprocessors()[truth.REFERENCE]
    budget = golden.budget(preprocessor, "cosine_distance")

    def pixels(file: Path | io.BytesIO) -> Array:
        with Image.open(file) as image:
            return np.asarray(reference.transform(reference.from_pil(image), subjects.model.geometry))

    def brightness(row: int) -> float:
        return float(pixels(Path(dataset.path(dataset.images[row]))).mean())

    made = made_of.mirrored(pixels(Path(dataset.path(dataset.scenes[0]))), subjects.model.geometry)
    room = LARGEST - OTHERS - 2 * choice.EACH * BASE64 * golden.image.shape[1] - sum(map(len, made))
    rows = choice.images(subjects, preprocessor, choice.EACH - len(made), room, brightness)
    names = [dataset.images[row] for row in rows]
    limits = [golden.limits(precision, "image", metric, names) for metric in METRICS]
    vectors, *of_made = _computed(subjects, golden, precision, "image", np.stack([pixels(io.BytesIO(file)) for file in made]))
    files = [(Path(dataset.path(name)).read_bytes(), Path(name).suffix) for name in names] + [(file, ".png") for file in made]
    cosine, norm = (np.concatenate(pair) for pair in zip(limits, of_made, strict=True))
    cosine, vectors = add_angles(cosine, budget), np.concatenate([golden.image[rows], vectors])
    return [
        Chosen(*file, vectors[i], float(cosine[i]), float(norm[i]) if budget == 0 else None) for i, file in enumerate(files)
    ]


def _texts(subjects: Subjects, golden: Golden, precision: str) -> list[Chosen]:
    """Long ones that are made, if the data set has words for them, and some of its own."""
    long, words = made_of.long(subjects), subjects.dataset.texts
    lines = choice.texts(subjects, choice.EACH - len(long), not long)
    all_names = names_of(subjects, "text")
    names = [all_names[line] for line in lines]
    limits = [golden.limits(precision, "text", metric, names) for metric in METRICS]
    vectors, texts = golden.text[lines], [words[line] for line in lines] + long
    if long:
        more, *of_made = _computed(subjects, golden, precision, "text", subjects.model.tokenize(long))
        vectors, limits = np.concatenate([vectors, more]), [np.concatenate(pair) for pair in zip(limits, of_made, strict=True)]
    return [Chosen(text, "", vectors[i], float(limits[0][i]), float(limits[1][i])) for i, text in enumerate(texts)]


def _computed(
    subjects: Subjects, golden: Golden, precision: str, tower: Tower, batch: Array | Tokens
) -> tuple[Array, NDArray[np.float64], NDArray[np.float64]]:
    """The reference's vectors [N, D], and limits [N] of the two METRICS by the rule of golden's."""
    wanted = truth.reference(subjects.model, batch, tower, iter)
    own = wanted if precision == "fp32" else truth.at_precision(subjects.model, precision, batch, tower)
    cosine, norm = (golden.limits_of(precision, tower, metric, METRICS_OF[metric](own, wanted)) for metric in METRICS)
    return wanted, cosine, norm


def _entry(kind: str, name: str, each: Chosen) -> dict[str, Any]:
    vector = base64.b64encode(each.vector.astype("<f4").tobytes()).decode()
    return {kind: name, "cosine": each.cosine, "norm": each.norm, "vector": vector}
