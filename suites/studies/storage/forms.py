"""One form of storage with every old and every new cell: losses, certificates, and which cells may share an index."""

import numpy as np

from fixtures.capability import Array
from plugins.measures.storage.form import Form
from plugins.measures.storage.intervals import share
from plugins.measures.storage.mixing import ANEW, HALF, MIXTURES, OLD_INDEX, Change
from plugins.measures.storage.queries import PRECISIONS, at_precision
from plugins.measures.storage.search import Found, Part, search, together
from suites.studies.storage.apart import Figures, K, Reference, change, storage_error
from suites.studies.storage.subjects import GOLDEN, Searched

Pair = tuple[str, str]  # the cell that embedded the index, and the one that embeds queries and what comes new


class Measured:
    """All searches of one form. Every second item is the part of an index that stays when half of it is new."""

    def __init__(self, form: Form, searched: Searched, reference: Reference) -> None:
        self.form, self.searched, self.reference = form, searched, reference
        self.stay, self.new = (np.arange(first, len(searched.gallery.rows), 2) for first in (0, 1))
        self.whole: dict[Pair, Found] = {}
        self.half: dict[Pair, Found] = {}
        self.losses: list[Figures] = []
        self.certified: list[Figures] = []
        self.error: dict[str, float] = {}
        for old in searched.vectors:
            self._over(old)

    def _over(self, old: str) -> None:
        """Search the old cell's index with every cell's queries; what comes new is stored by what the old vectors taught."""
        items = self.searched.items(old)
        form = self.form.fit(items)
        stored = form.encode(items)
        if old == GOLDEN:
            self.error = storage_error(form, items)
        parts = [Part.of(form, stored[rows], rows) for rows in (self.stay, self.new)]
        for new in self.searched.vectors:
            queries = self.searched.queries(new)
            staying, leaving = (search(form, part, queries, K) for part in parts)
            self.whole[old, new] = together(staying, leaving)
            if new != old:
                coming = Part.of(form, form.encode(self.searched.items(new)[self.new]), self.new)
                self.half[old, new] = together(staying, search(form, coming, queries, K))
            if old == GOLDEN:
                self._losses(form, parts, new)
        self._certificates(form, form.decode(stored), old)

    def _losses(self, form: Form, parts: list[Part], cell: str) -> None:
        """Golden's index with this cell's queries, in each precision of the query."""
        for precision in PRECISIONS:
            usual = self.searched.queries(cell)
            queries = at_precision(usual, precision, form)
            same = np.array_equal(queries, usual)  # as with fp32, and with forms that do not change a query
            found = self.whole[GOLDEN, cell] if same else together(*(search(form, part, queries, K) for part in parts))
            self.losses.append({"cell": cell, "queries": precision, **self.reference.row(found, cell, OLD_INDEX)})

    def _certificates(self, form: Form, decoded: Array, old: str) -> None:
        """Of golden's index with each cell's queries, and of each cell's own; none with a shortlist, which may miss an item."""
        if form.shortlist:
            return
        for new in [*self.searched.vectors] if old == GOLDEN else [old]:
            found = self.reference.certified(self.searched.queries(new), decoded)
            self.certified.append({"cell": new, "index": OLD_INDEX if old == GOLDEN else ANEW, "share": found})

    def as_json(self) -> Figures:
        """The form's part of the evidence."""
        rebuilt = [{"cell": cell, **self.reference.row(self.whole[cell, cell], cell, ANEW)} for cell in self.searched.vectors]
        return {
            "form": self.form.name,
            "meaning": self.form.meaning,
            "error": self.error,
            "old_index": self.losses,
            "anew": rebuilt,
            "certified": self.certified,
            "mixing": [self._mixing(old, new) for old, new in self.half],
        }

    def _mixing(self, old: str, new: str) -> Figures:
        searches = {OLD_INDEX: self.whole[old, new], HALF: self.half[old, new], ANEW: self.whole[new, new]}
        before = self.whole[old, old]
        seen = Change(
            (before, self.reference.hits(before)),
            {mixture: (found, self.reference.hits(found)) for mixture, found in searches.items()},
            self.searched.round_off(old, new),
        )
        found: Figures = {"old": old, "new": new, "verdict": seen.verdict}
        for mixture in (*MIXTURES, ANEW):
            found[mixture] = {"same_first": share(seen.same(mixture)), "r1": change(seen.flips(mixture))}
        return found
