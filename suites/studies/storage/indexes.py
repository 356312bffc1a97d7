"""Real indexes over the same gallery: their own loss, the encoder's drift over them, and half of their items new."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from time import perf_counter

import numpy as np

from fixtures.capability import Array, installed, require
from fixtures.errors import Unavailable
from plugins.measures.storage.form import Form
from plugins.measures.storage.intervals import mean
from plugins.measures.storage.registry import forms
from plugins.measures.storage.search import Part, best, overlap, search
from plugins.measures.vectors.recall import Ints
from suites.studies.storage.apart import Figures, K, Reference
from suites.studies.storage.subjects import GOLDEN, HALVED, Searched, name_of


class Index(ABC):
    """An index of a library, at the settings that `meaning` names."""

    name: str
    meaning: str
    packages: Mapping[str, str]  # import name to the command that installs it
    distribution: str
    form: str = ""  # of ours, which it must agree with; none for an approximate search
    most: int | None = None  # items

    @abstractmethod
    def train(self, items: Array, form: Form | None) -> None:
        """Make an empty index, and learn what it learns of these items [N, D]; `form` is ours, fitted to them."""

    @abstractmethod
    def store(self, items: Array) -> None:
        """Hold these items [N, D] and no others; what was learnt stays."""

    @abstractmethod
    def search(self, queries: Array, k: int) -> Ints:
        """Return the rows of each query's first k items [Q, k]."""


def measured(index: Index, searched: Searched, reference: Reference) -> Figures:
    """The index's part of the evidence; without its package, what is missing."""
    about = {"index": index.name, "meaning": index.meaning, "form": index.form}
    try:
        require(index.packages)
    except Unavailable as reason:
        return {**about, "missing": str(reason)}
    started, rows = perf_counter(), slice(0, index.most)
    items, exact = searched.items(GOLDEN)[rows], searched.gallery.items[rows]
    wanted = best(searched.vectors[GOLDEN].queries @ exact.T, K).items
    form = forms()[index.form].fit(items) if index.form else None
    index.train(items, form)
    index.store(items)
    cells: list[Figures] = []
    for cell, own in searched.vectors.items():
        alone = overlap(best(own.queries @ exact.T, K).items, wanted)
        both = overlap(index.search(searched.queries(cell), K), wanted)
        cells.append({"cell": cell, "drift": mean(alone), "recall": mean(both), "added": mean(both - alone)})
    found: Figures = {**about, "version": installed(index.distribution), "items": len(items), "cells": cells}
    if form is not None:
        found["agrees"] = agreement(index, form, items, searched.queries(GOLDEN))
    return {**found, "half": _halves(index, searched, wanted, rows), "seconds": perf_counter() - started}


def agreement(index: Index, form: Form, items: Array, queries: Array) -> dict[str, float]:
    """The share of items that the index and our exact form both find, and the largest difference of the scores of ours.

    Scores that differ by a rounding may change places, and Hamming distances tie: which of equals is first is arbitrary.
    """
    part = Part.of(form, form.encode(items), np.arange(len(items)))
    asked = form.as_stored(queries) if index.form == "binary" else queries
    ours, theirs = search(form, part, asked, K), index.search(queries, K)
    own = np.einsum("qd,qkd->qk", asked, part.decoded[theirs])
    gap = np.abs(np.sort(own, axis=1) - np.sort(ours.scores, axis=1)).max()
    return {"same": float(overlap(theirs, ours.items).mean()), "largest_gap": float(gap)}


def _halves(index: Index, searched: Searched, wanted: Ints, rows: slice) -> list[Figures]:
    """The queries of some cells, and their vectors in the place of every second item."""
    found: list[Figures] = []
    for cell in [name for name in map(name_of, HALVED) if name in searched.vectors]:
        items = searched.items(GOLDEN)[rows].copy()
        items[1::2] = searched.items(cell)[rows][1::2]
        index.store(items)
        found.append({"cell": cell, "recall": mean(overlap(index.search(searched.queries(cell), K), wanted))})
    return found
