"""Certifies first answers that the encoder's drift and the storage's error together cannot change.

q and x are the exact unit vectors of a query and of an item; the index computes with q' and x', by an inner product. Claim: if

    |q'-q| |a-b| + |q'| (|a'-a| + |b'-b|)  <  <q,a> - <q,b>

then a stays above b: <q',a'> > <q',b'>. Proof: <q',a'-b'> = <q,a-b> + <q'-q,a-b> + <q',(a'-a)-(b'-b)>, and by Cauchy-Schwarz
the last two are no larger in size than the left side. |a-b| is at most 2, so that for a query of length 1 this is enough: its
drift and the larger error of the two items, together, are below half of the margin.

plugins/measures/drift/answers/certificate.py bounds angles, which is a little sharper, but what an index stores has another
length than 1, and scores are inner products with that.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fixtures.capability import Array
from plugins.measures.vectors.metrics import Float64
from plugins.measures.vectors.recall import Ints

ROUND_OFF = 1e-6  # an index's scores, and `margins` here, are sums of float32 products of unit vectors


def lengths(found: NDArray[np.floating], wanted: NDArray[np.floating]) -> Float64:
    """Return the length of each row's difference [N]."""
    return np.asarray(np.linalg.norm(np.asarray(found, np.float64) - wanted, axis=1))


@dataclass(frozen=True)
class Exact:
    """The reference's unit vectors of queries [Q, D] and items [N, D], and each query's first item [Q]."""

    queries: Float64
    items: Float64
    first: Ints

    @cached_property
    def margins(self) -> Array:
        """The score of each query's first item minus that of every item [Q, N]."""
        scores = self.queries.astype(np.float32) @ self.items.T.astype(np.float32)
        return np.asarray(np.take_along_axis(scores, self.first[:, None], axis=1) - scores)

    @cached_property
    def apart(self) -> Array:
        """The distance of each query's first item to every item [Q, N], or a little more.

        The round-off is added below the root: between near items it is larger than their squared distance.
        """
        winners = self.items[self.first].astype(np.float32)
        return np.asarray(np.sqrt(np.clip(2 - 2 * winners @ self.items.T.astype(np.float32), 0, None) + np.float32(ROUND_OFF)))

    def certified(self, queries: Array, errors: Float64) -> NDArray[np.bool_]:
        """Return [Q]: True if no errors of these lengths change the first answer.

        `queries` are what the index computes with [Q, D]; `errors` [N] how far each item's stored vector is from the exact one.
        """
        moved, long = lengths(queries, self.queries), np.linalg.norm(queries, axis=1)
        found = np.ones(len(queries), bool)
        for row, first in enumerate(self.first.tolist()):
            bound = moved[row] * self.apart[row] + long[row] * (errors[first] + errors) + ROUND_OFF
            stays = bound < self.margins[row]
            stays[first] = True
            found[row] = stays.all()
        return found
