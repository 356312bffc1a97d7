"""The class of a cell beside golden in every form of storage: may its vectors join an index that golden filled?"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from fixtures.capability import Array
from plugins.measures.drift.answers.answers import Vectors
from plugins.measures.storage.form import Form, Stored
from plugins.measures.storage.gallery import unit
from plugins.measures.storage.mixing import ANEW, HALF, OLD_INDEX, Change
from plugins.measures.storage.registry import forms
from plugins.measures.storage.search import Found, Part, search
from plugins.measures.vectors.mixtures import Class

DEPTH = 10  # items that a search asks for, of which a shortlist is a multiple; the first one counts
# `same_first`: of all queries, with the cell's queries over an index in which it embedded every second item.
InStorage = TypedDict("InStorage", {"class": Class, "same_first": float})


def in_storage(golden: Vectors, cell: Vectors, gold: Sequence[Sequence[int]], round_off: bool) -> dict[str, InStorage]:
    """Return the class by form, for raw vectors [Q, D] and [N, D]; forms that cannot store so few or so wide ones are left out.

    Empty if a vector has no direction. `gold` are the right items of each query; `round_off`: both are within fp32 round-off.
    """
    (asked, kept), (asked_now, kept_now) = ((unit(v.queries), unit(v.items)) for v in (golden, cell))
    if not all(np.isfinite(each).all() for each in (asked, kept, asked_now, kept_now)):
        return {}
    right = np.zeros((len(asked), len(kept)), bool)
    for row, items in enumerate(gold):
        right[row, list(items)] = True
    able = {name: form for name, form in forms().items() if form.can(*kept.shape)}
    return {name: _judged(form, (asked, kept), (asked_now, kept_now), right, round_off) for name, form in able.items()}


def _judged(
    form: Form, before: tuple[Array, Array], now: tuple[Array, Array], right: NDArray[np.bool_], round_off: bool
) -> InStorage:
    old, new = form.fit(before[1]), form.fit(now[1])
    stored = old.encode(before[1])
    joined = stored.copy()
    joined[1::2] = old.encode(now[1][1::2])

    def searched(fitted: Form, index: Stored, queries: Array) -> tuple[Found, NDArray[np.bool_]]:
        found = search(fitted, Part.of(fitted, index, np.arange(len(index))), queries, DEPTH)
        return found, right[np.arange(len(queries)), found.first]

    after = {
        OLD_INDEX: searched(old, stored, now[0]),
        HALF: searched(old, joined, now[0]),
        ANEW: searched(new, new.encode(now[1]), now[0]),
    }
    change = Change(searched(old, stored, before[0]), after, round_off)
    return {"class": change.verdict, "same_first": float(change.same(HALF).mean())}
