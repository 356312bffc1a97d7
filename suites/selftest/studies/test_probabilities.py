"""Similarity probabilities stay within what is derived from tolerances."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fixtures.capability import TOWERS, Array
from fixtures.datasets import Dataset, Query
from fixtures.errors import Unavailable
from fixtures.models.similarity import Similarity
from plugins.measures.vectors.metrics import angle, normalised
from suites.studies.serving.probabilities import answered, bounds


@pytest.mark.parametrize("similarity", [Similarity(10.0), Similarity(10.0, -2.0)], ids=["softmax", "sigmoid"])
def test_probabilities_stay_within_their_bounds(similarity: Similarity) -> None:
    """However far image and captions turn within their tolerances; a little farther in the worst direction, they do not."""
    rng, distances = np.random.default_rng(1), np.array([1e-4, 4e-4, 2e-4, 1e-3])
    image, texts = normalised(rng.normal(size=(1, 16))), normalised(rng.normal(size=(4, 16)))
    wanted = similarity.probabilities(texts @ image[0])
    low, high = bounds(texts @ image[0], angle(distances) + angle(np.array([1e-4])), similarity)
    for _ in range(300):
        moved = normalised(np.array([_turned(row, d, rng) for row, d in zip(texts, distances, strict=True)]))
        found = similarity.probabilities(moved @ _turned(image[0], 1e-4, rng))
        assert (low <= found).all() and (found <= high).all()
    assert (low < wanted).all() and (wanted < high).all() and (high < 1).all()
    own = texts @ image[0]
    angles = np.arccos(own) + np.where(np.arange(4) == 0, -1, 1) * 1.01 * (angle(distances) + angle(np.array([1e-4])))
    assert similarity.probabilities(np.cos(angles))[0] > high[0]


def test_a_data_set_without_opaque_scenes_asks_nothing() -> None:
    """The reason is one sentence; the subject is not blamed."""
    dataset = Dataset(Path("mine"), ("a.png",), (), (Query("a cat", "en", 1, (0,)),))
    subjects: Any = SimpleNamespace(dataset=dataset, trait=lambda _: "transparent")
    subject: Any = SimpleNamespace(towers=TOWERS)
    with pytest.raises(Unavailable, match="mine has no opaque scene that is the first image of a caption"):
        answered(subject, subjects, golden=None)  # type: ignore[arg-type]


def _turned(vector: Array, distance: float, rng: np.random.Generator) -> Array:
    """A unit vector turned by exactly this cosine distance, anywhere."""
    aside = rng.normal(size=vector.shape)
    aside = normalised(aside - (aside @ vector) * vector)
    by = float(angle(np.array([distance]))[0])
    return np.asarray(np.cos(by) * vector + np.sin(by) * aside)
