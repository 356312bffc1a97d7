"""Exact search in a large gallery of stored vectors: the first k of each query, and of two parts of an index together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fixtures.capability import Array
from plugins.measures.storage.form import Form, Stored
from plugins.measures.vectors.recall import Ints, first_above, top

QUERIES = 512  # scored at a time: 200 MB of scores in a gallery of 10^5
EVERY = 16  # of a wide row's scores, which bound its k-th best from below


@dataclass(frozen=True)
class Found:
    """The first items of each query, best first: rows of the gallery [Q, k], and their scores."""

    items: Ints
    scores: NDArray[np.floating]

    @property
    def first(self) -> Ints:
        """The first item of each query [Q]."""
        return self.items[:, 0]


def best(scores: NDArray[np.floating], k: int) -> Found:
    """Return the first k of each row [Q, N], equal scores in index order; six times as fast as a partition of wide rows."""
    some = scores[:, ::EVERY]
    if k == 1 or some.shape[1] < 10 * k:
        items = scores.argmax(axis=1, keepdims=True) if k == 1 else top(np.asarray(scores), k)
        return Found(items, np.take_along_axis(scores, items, axis=1))
    floor = np.partition(some, -k, axis=1)[:, -k, None]
    return Found(*first_above(scores, floor, k))


@dataclass(frozen=True)
class Part:
    """A part of an index as it is searched: the rows of the gallery in it [N], and their vectors for both looks."""

    rows: Ints
    decoded: Array
    rough: Array | None = None

    @classmethod
    def of(cls, form: Form, stored: Stored, rows: Ints) -> "Part":
        """The stored vectors of these rows of the gallery."""
        return cls(rows, form.decode(stored), form.rough(stored) if form.shortlist else None)


def search(form: Form, part: Part, queries: Array, k: int) -> Found:
    """Return each query's first k [Q, k]; `queries` are unit vectors, float32 [Q, D].

    A form with a shortlist stores the query for its first look, and ranks anew by the query as it is.
    """
    wide = [_searched(form, part, queries[start : start + QUERIES], k) for start in range(0, len(queries), QUERIES)]
    return Found(part.rows[np.concatenate([one.items for one in wide])], np.concatenate([one.scores for one in wide]))


def _searched(form: Form, part: Part, queries: Array, k: int) -> Found:
    if part.rough is None:
        return best(queries @ part.decoded.T, k)
    listed = best(form.rough(form.encode(queries)) @ part.rough.T, k * form.shortlist).items
    again = np.einsum("qd,qld->ql", queries, part.decoded[listed])
    order = np.argsort(-again, axis=1, kind="stable")[:, :k]
    return Found(np.take_along_axis(listed, order, axis=1), np.take_along_axis(again, order, axis=1))


def together(one: Found, other: Found) -> Found:
    """Return the first k of two parts of one index [Q, k], by their scores."""
    k = one.items.shape[1]
    items, scores = np.hstack([one.items, other.items]), np.hstack([one.scores, other.scores])
    order = np.lexsort((items, -scores))[:, :k]
    return Found(np.take_along_axis(items, order, axis=1), np.take_along_axis(scores, order, axis=1))


def overlap(found: Ints, wanted: Ints) -> NDArray[np.float64]:
    """Return for each query the share of the wanted items [Q, k] among those that were found [Q, k]: its recall@k."""
    return np.asarray((wanted[:, :, None] == found[:, None, :]).any(axis=2).mean(axis=1))
