"""The index's own loss and the encoder's drift, apart and together; and certificates."""

from typing import Any

import numpy as np

from fixtures.capability import Array
from plugins.measures.storage.certificate import Exact, lengths
from plugins.measures.storage.form import Form
from plugins.measures.storage.intervals import mean, share
from plugins.measures.storage.mixing import ANEW, OLD_INDEX, Bools, changed
from plugins.measures.storage.search import Found, best, overlap
from plugins.measures.vectors.metrics import Float64, cosine_distance
from plugins.measures.vectors.recall import Flips
from suites.studies.storage.subjects import GOLDEN, Searched

K = 10
Figures = dict[str, Any]


class Reference:
    """Exact search in float64: golden's answers, and those that each cell's drift alone gives."""

    def __init__(self, searched: Searched) -> None:
        self.searched = searched
        golden, gallery = searched.vectors[GOLDEN], searched.gallery
        self.found = best(golden.queries @ gallery.items.T, K)
        self.exact = Exact(golden.queries, gallery.items, self.found.first)
        self.right = self.hits(self.found)
        self.drifted: dict[str, dict[str, Float64]] = {OLD_INDEX: {}, ANEW: {}}
        self.rebuilt: dict[str, Bools] = {}  # hits with the cell's queries and items
        for name, own in searched.vectors.items():
            items = gallery.items if name == GOLDEN else gallery.of(own.scenes)
            for index, vectors in ((OLD_INDEX, gallery.items), (ANEW, items)):
                found = best(own.queries @ vectors.T, K)
                self.drifted[index][name] = self.recall(found)
            self.rebuilt[name] = self.hits(found)

    def hits(self, found: Found) -> Bools:
        """True for queries whose first answer is right [Q]."""
        return self.searched.gallery.right(self.searched.gold, found.first)

    def recall(self, found: Found) -> Float64:
        """Each query's share of golden's first ten that are found [Q]."""
        return overlap(found.items, self.found.items)

    def row(self, found: Found, cell: str, index: str) -> Figures:
        """All figures of one search; `added` is what storage adds to the encoder's own change, query by query."""
        recall, hits = self.recall(found), self.hits(found)
        return {
            "recall": mean(recall),
            "added": mean(recall - self.drifted[index][cell]),
            "same_first": share(found.first == self.found.first),
            "r1": change(changed(hits, self.right)),
        }

    def drift(self, cell: str) -> Figures:
        """A cell's drift alone: distances to golden, and exact search over golden's items and over its own.

        R@1 among the scenes, which every cell embedded, stands beside that in the gallery, where drawn items drift too.
        """
        own, golden = self.searched.vectors[cell], self.searched.vectors[GOLDEN]
        sides = {"queries": (own.queries, golden.queries), "items": (own.scenes, golden.scenes)}
        return {
            "cell": cell,
            "distance": {side: spread(cosine_distance(*both)) for side, both in sides.items()},
            "recall": {index: mean(rows[cell]) for index, rows in self.drifted.items()},
            "r1": {
                "scenes": change(changed(self._among_scenes(cell), self._among_scenes(GOLDEN))),
                "gallery": change(changed(self.rebuilt[cell], self.right)),
            },
        }

    def _among_scenes(self, cell: str) -> Bools:
        own = self.searched.vectors[cell]
        return self.hits(best(own.queries @ own.scenes.T, K))

    def certified(self, queries: Array, stored: Array) -> float:
        """The share of first answers that drift and storage together cannot change, for what the index computes with."""
        return float(self.exact.certified(queries, lengths(stored, self.exact.items)).mean())


def change(found: Flips) -> dict[str, float | int]:
    """The change of R@1 in points with its 95 % interval, and the hits lost and won."""
    low, high = found.interval
    return {"points": found.change, "low": low, "high": high, "lost": found.lost, "won": found.won, "n": found.n}


def spread(distances: Float64) -> dict[str, float]:
    """Median and largest."""
    return {"median": float(np.median(distances)), "max": float(distances.max())}


def storage_error(form: Form, items: Array) -> dict[str, float]:
    """Cosine distances of stored vectors to those that were given."""
    return spread(cosine_distance(form.decode(form.encode(items)), items))
