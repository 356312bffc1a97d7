"""A gallery of any size drawn from a data set's own vectors, for several encoders at once.

A smoothed bootstrap (Silverman and Young 1987): an item is one of the scenes' vectors g, moved towards the mean m and then by
noise of the scenes' own covariance S, so that the gallery keeps mean and covariance,

    x = m + sqrt(1 - h^2) (g - m) + h S^(1/2) z,    normalised; h is Scott's n^(-1 / (d + 4)), with d = tr(S)^2 / tr(S^2).

Another encoder's vector of the same item is x plus the difference that this encoder makes to the vector of that scene: a drawn
item drifts as a real one did. (An encoder with a space of its own would move x in another way, but as far.) An item shows what
its scene shows, so that a query's right items are its scenes and what is drawn of them. The first items are the scenes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fixtures.capability import Array
from plugins.measures.vectors.metrics import Float64, normalised
from plugins.measures.vectors.recall import Ints


@dataclass(frozen=True)
class Drawn:
    """The scene of each item [N], the reference's vectors of the scenes [S, D] and of the items [N, D], all of length 1."""

    rows: Ints
    scenes: Float64
    items: Float64

    def of(self, scenes: NDArray[np.floating]) -> Float64:
        """Return an encoder's unit vectors of the items [N, D], from its raw vectors of the scenes [S, D]."""
        difference = normalised(scenes) - self.scenes
        return normalised(self.items + difference[self.rows])

    def right(self, gold: Sequence[Sequence[int]], found: Ints) -> NDArray[np.bool_]:
        """Return [Q]: True if the found item of each query [Q] is, or is drawn of, one of its right scenes."""
        pairs = zip(self.rows[found].tolist(), gold, strict=True)
        return np.array([scene in set(scenes) for scene, scenes in pairs], bool)


def draw(scenes: NDArray[np.floating], size: int, seed: int) -> Drawn:
    """Return a gallery of `size` items from raw vectors of the scenes [S, D], which `size` must not be less than."""
    own, rng = normalised(scenes), np.random.default_rng(seed)
    mean = own.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov(own.T))
    values = values.clip(0)
    h = width(values, len(own))
    rows = np.concatenate([np.arange(len(own)), rng.integers(len(own), size=size - len(own))])
    noise = (rng.standard_normal((size, len(values))) * np.sqrt(values)) @ axes.T
    items = normalised(mean + np.sqrt(1 - h**2) * (own[rows] - mean) + h * noise)
    items[: len(own)] = own
    return Drawn(rows, own, items)


def width(variances: Float64, n: int) -> float:
    """Return Scott's h for n vectors with these variances along the axes of their covariance [D]."""
    dimensions = variances.sum() ** 2 / (variances**2).sum()
    return float(n ** (-1 / (dimensions + 4)))


def unit(vectors: NDArray[np.floating]) -> Array:
    """Return rows of length 1, float32: what an index for cosine similarity is given."""
    return normalised(vectors).astype(np.float32)
