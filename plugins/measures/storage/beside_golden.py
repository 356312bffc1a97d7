"""The class of a cell beside golden in every form of storage: may its vectors join an index that golden filled?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from typing_extensions import TypedDict

from fixtures.capability import Array
from plugins.measures.drift.answers.answers import Answers, GoldenAnswers, Vectors
from plugins.measures.storage.form import Form, Stored
from plugins.measures.storage.gallery import unit
from plugins.measures.storage.mixing import ANEW, HALF, OLD_INDEX, Bools, Change
from plugins.measures.storage.registry import forms
from plugins.measures.storage.search import Found, Part, search
from plugins.measures.vectors.mixtures import Class

DEPTH = 10  # items that a search with a shortlist asks for, which is a multiple of them; the first one counts
# `same_first`: of all queries, with the cell's queries over an index in which it embedded every second item.
InStorage = TypedDict("InStorage", {"class": Class, "same_first": float})


@dataclass(frozen=True)
class Filled:
    """An index that golden filled, and what golden's own queries find in it."""

    form: Form
    stored: Stored
    part: Part  # the index as it is searched
    before: Found

    @classmethod
    def of(cls, form: Form, queries: Array, items: Array) -> "Filled":
        """From unit vectors [Q, D] and [N, D], which the form is fitted to."""
        fitted = form.fit(items)
        stored = fitted.encode(items)
        part = _part(fitted, stored)
        return cls(fitted, stored, part, _searched(fitted, part, queries))


def filled_by(golden: GoldenAnswers) -> dict[str, Filled]:
    """Return golden's index in each form that can store so many and so wide vectors; none if a vector has no direction."""
    if (found := _units(golden.vectors)) is None:
        return {}
    queries, items = found
    return {name: Filled.of(form, queries, items) for name, form in forms().items() if form.can(*items.shape)}


def in_storage(filled: Mapping[str, Filled], answers: Answers, round_off: bool) -> dict[str, InStorage]:
    """Return the cell's class by form; empty if one of its vectors has no direction.

    `round_off`: its vectors are within fp32 round-off of golden's.
    """
    if (found := _units(answers.cell)) is None:
        return {}
    queries, items = found
    return {name: _judged(index, queries, items, answers.golden.right, round_off) for name, index in filled.items()}


def _units(vectors: Vectors) -> tuple[Array, Array] | None:
    """Unit vectors of queries and items; None if one has no direction."""
    queries, items = unit(vectors.queries), unit(vectors.items)
    return (queries, items) if np.isfinite(queries).all() and np.isfinite(items).all() else None


def _judged(index: Filled, queries: Array, items: Array, right: Bools, round_off: bool) -> InStorage:
    joined, anew = index.stored.copy(), index.form.fit(items)
    joined[1::2] = index.form.encode(items[1::2])
    after = {
        OLD_INDEX: _searched(index.form, index.part, queries),
        HALF: _searched(index.form, _part(index.form, joined), queries),
        ANEW: _searched(anew, _part(anew, anew.encode(items)), queries),
    }

    def judged(found: Found) -> tuple[Found, Bools]:
        return found, right[np.arange(len(right)), found.first]

    change = Change(judged(index.before), {mixture: judged(found) for mixture, found in after.items()}, round_off)
    return {"class": change.verdict, "same_first": float(change.same(HALF).mean())}


def _part(form: Form, stored: Stored) -> Part:
    return Part.of(form, stored, np.arange(len(stored)))


def _searched(form: Form, part: Part, queries: Array) -> Found:
    return search(form, part, queries, DEPTH if form.shortlist else 1)
