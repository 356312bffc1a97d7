"""What an image is answered with: golden's answer and a cell's, which need no label."""

import numpy as np
from typing_extensions import TypedDict

from fixtures.capability import Array
from fixtures.datasets import Dataset
from plugins.measures.vectors.metrics import cosine_distance, normalised
from plugins.measures.vectors.mixtures import Retrieval


class WorstAnswer(TypedDict):
    """The text that golden finds first for an image and the one that a cell finds; how many of `n` images differ in it."""

    image: str
    golden: str
    cell: str
    changed: int
    n: int


def worst_answer(dataset: Dataset, retrieval: Retrieval, then: list[str]) -> WorstAnswer:
    """The scene with the largest drift among those whose answer changed, or among all if none did; `then`: golden's answers."""
    (golden, cell), (_, texts) = retrieval.images, retrieval.texts
    now = first_texts(cell, texts, dataset)
    changed = np.array([a != b for a, b in zip(then, now, strict=True)])
    drift = np.nan_to_num(cosine_distance(cell, golden), nan=np.inf)
    worst = int(np.where(changed | ~changed.any(), drift, -np.inf).argmax())
    return {
        "image": dataset.scenes[worst],
        "golden": then[worst],
        "cell": now[worst],
        "changed": int(changed.sum()),
        "n": len(changed),
    }


def first_texts(images: Array, texts: Array, dataset: Dataset) -> list[str]:
    """The text that each scene finds first."""
    scores = np.nan_to_num(normalised(images) @ normalised(texts).T, nan=-np.inf)
    return [dataset.queries[query].text for query in scores.argmax(axis=1)]
