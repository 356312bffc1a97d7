"""Answers in a corpus that has no captions: the first answers of a sample of its images, and images that find themselves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from fixtures.capability import Array
from plugins.measures.vectors.metrics import Float64, normalised
from plugins.measures.vectors.recall import Ints
from plugins.measures.vectors.share import share_interval

Bools = NDArray[np.bool_]
DIGITS = 12  # of a cosine that count: the last ones of a float64 product depend on where in a matrix it stands
ROUND_OFF = 10.0**-DIGITS


@dataclass(frozen=True)
class Firsts:
    """The best other image of each query so far: its place in the corpus [Q], -1 if there is none, and its cosine [Q]."""

    places: Ints
    scores: Float64

    @classmethod
    def none(cls, queries: int) -> "Firsts":
        """Before any image was looked at."""
        return cls(np.full(queries, -1, np.int64), np.full(queries, -np.inf))

    def merged(self, other: "Firsts") -> "Firsts":
        """The better of both for each query; of equal ones the earlier in the corpus, so that no order of merges matters."""
        better = (other.scores > self.scores) | (
            (other.scores == self.scores) & (other.places < self.places) & (other.places >= 0)
        )
        return Firsts(np.where(better, other.places, self.places), np.where(better, other.scores, self.scores))


def firsts(queries: Array, places: Ints, index: Array, start: int) -> Firsts:
    """The best image of `index` [N, D], which stand at `start` and after it in the corpus, for each of `queries` [Q, D].

    `places` [Q] are the queries' own: an image is no answer to itself. A score that is not finite is no answer either.
    """
    scores = np.round(normalised(queries) @ normalised(index).T, DIGITS)
    rows = places - start
    own = (rows >= 0) & (rows < len(index))
    scores[own, rows[own]] = -np.inf
    scores[~np.isfinite(scores)] = -np.inf
    best = scores.argmax(axis=1)
    found = scores[np.arange(len(scores)), best]
    return Firsts(np.where(np.isfinite(found), best + start, -1).astype(np.int64), found)


def finds_itself(queries: Array, index: Array) -> Bools:
    """True for each row of `queries` [N, D] whose own row of `index` [N, D] scores higher than all others; a tie is none."""
    scores = normalised(queries) @ normalised(index).T
    own = scores.diagonal().copy()
    np.fill_diagonal(scores, -np.inf)
    others = np.where(np.isfinite(scores), scores, -np.inf).max(axis=1, initial=-np.inf)
    return np.asarray(np.isfinite(own) & (own > others + ROUND_OFF))


class Share(TypedDict):
    """`changed` of `n`, as a share with its exact 95 % interval."""

    changed: int
    n: int
    share: float
    low: float
    high: float


def share(changed: int, n: int) -> Share:
    """The share; raises ValueError for none."""
    low, high = share_interval(changed, n)
    return {"changed": changed, "n": n, "share": changed / n, "low": low, "high": high}
