"""How vectors lie: how narrow their cone is, which dimensions hold their length, how close neighbours are."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from plugins.measures.vectors.metrics import Float64, normalised

LISTED = 2  # dimensions


class Share(TypedDict):
    """A dimension and its share of the mean squared length of unit vectors."""

    dimension: int
    share: float


class Cone(TypedDict):
    """Of one kind of vectors: the mean cosine of two of them, the largest dimensions, and the median margin."""

    vectors: int
    mean_cosine: float
    largest: list[Share]
    margin: float  # between a vector's nearest other and the next


class Across(TypedDict):
    """Of texts with images: the mean cosine of any pair, of a text with its best right image, and the median margin."""

    mean: float
    matches: float
    margin: float  # between a text's first and second image


def cone(vectors: NDArray[np.floating]) -> Cone:
    """Return the figures of raw vectors [N, D]; N must be at least 3."""
    unit = normalised(vectors)
    n = len(unit)
    shares = (unit**2).mean(axis=0)
    order = np.argsort(-shares, kind="stable")[:LISTED]
    scores = unit @ unit.T
    np.fill_diagonal(scores, -np.inf)
    return {
        "vectors": n,
        "mean_cosine": float(((unit.sum(axis=0) ** 2).sum() - n) / (n * (n - 1))),
        "largest": [{"dimension": int(i), "share": float(shares[i])} for i in order],
        "margin": margin(scores),
    }


def across(texts: NDArray[np.floating], images: NDArray[np.floating], gold: Sequence[Sequence[int]]) -> Across:
    """Return the figures of raw vectors [Q, D] and [N, D]; `gold` holds the right images of each text."""
    scores = normalised(texts) @ normalised(images).T
    best = [row[list(right)].max() for row, right in zip(scores, gold, strict=True)]
    return {"mean": float(scores.mean()), "matches": float(np.mean(best)), "margin": margin(scores)}


def margin(scores: Float64) -> float:
    """Return the median difference between the first and the second score of each row [Q, N]."""
    first = np.partition(scores, -2, axis=1)[:, -2:]
    return float(np.median(first[:, 1] - first[:, 0]))
