"""Keeps the process clean: settings that a cell changes are restored, what it leaves running is ended, and both are recorded.

Changes between two checks are attributed to the current owner: a test's subject, or the thing that is made lazily within the
test (a preprocessor's pixels, an encoder that a cell needs first).
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache

from fixtures.cells import Cell, EncoderKey
from plugins.process import leftovers
from plugins.process import state as process_state
from plugins.process.leftovers import Holdings

Owner = Cell | EncoderKey | str  # a preprocessor by its name
NOBODY = ""  # the suite itself, whose changes are accepted


class LeftBehind:
    """All findings so far, one sentence each, by owner and by the resource or setting."""

    def __init__(self) -> None:
        self.during = ""  # the running test
        self.started = time.time()
        self.found: dict[Owner, dict[str, str]] = defaultdict(dict)
        self.unreported: list[tuple[Owner, str]] = []
        self.to_come: set[Owner] = set()  # owners whose own test of this follows later
        self._owners: list[Owner] = [NOBODY]
        self._state = process_state.seen()
        self._bases: list[Holdings] = []  # by owner: what existed before it began, or belongs to others

    @contextmanager
    def done_by(self, owner: Owner) -> Iterator[None]:
        """Attribute settings that change within the block to the owner."""
        self.look()
        self._owners.append(owner)
        try:
            yield
        finally:
            self.look()
            self._owners.pop()

    def look(self) -> None:
        """Compare the settings with the last check; restore and record what the current owner changed."""
        before, owner = self._state, self._owners[-1]
        self._state = process_state.seen()
        changed = process_state.changes(before, self._state)
        if owner == NOBODY or not changed:
            return
        stuck = process_state.put_back(changed)
        for name, (was, now) in changed.items():
            if not process_state.harmless(name, was, now):
                stays = ", and cannot be restored" if name in stuck else ""
                self.note(owner, name, f"{process_state.described(name, was, now)}{stays}")
        self._state = process_state.seen()

    def note(self, owner: Owner, thing: str, sentence: str) -> None:
        """Record a finding, unless it is already recorded for this owner or for a part of this cell."""
        parts: list[Owner] = [owner, owner.encoder, owner.preprocessor] if isinstance(owner, Cell) else [owner]
        if not any(thing in self.found[part] for part in parts):
            self.found[owner][thing] = f"{sentence} (seen in {self.during})"
            self.unreported.append((owner, thing))

    def take_findings(self, owner: Owner) -> list[str]:
        """Return and remove an owner's findings, so that they are reported once."""
        self.look()
        self.unreported = [(who, thing) for who, thing in self.unreported if who != owner]
        return list(self.found[owner].values())

    def begin(self) -> Holdings:
        """Record what exists now; it is not counted against the next owner."""
        self._bases.append(leftovers.held())
        return self._bases[-1]

    def end(self, owner: Owner, base: Holdings) -> None:
        """The owner that began with `base` is freed: record and end what it left. What belongs to NOBODY stays."""
        for sentence in leftovers.collected() if owner else []:
            self.note(owner, sentence, sentence)
        self._bases = [other for other in self._bases if other is not base]
        new = leftovers.left(base) if owner else leftovers.held().beyond(base)
        if owner:
            for sentence in new.sentences():
                self.note(owner, sentence, sentence)
            new.end()
        for other in self._bases:
            other.add(new)

    @contextmanager
    def leaving(self, owner: str) -> Iterator[None]:
        """Attribute changes and leftovers within the block to a preprocessor, or to nobody."""
        base = self.begin()
        try:
            with self.done_by(owner):
                yield
        finally:
            self.end(owner, base)

    def sweep(self) -> None:
        """At the end of the run, end all child processes that started since the first test."""
        new = leftovers.held()
        new.children = {key: child for key, child in new.children.items() if key[1] >= self.started}
        new.end()

    def kept(self) -> AbstractContextManager[None]:
        """The suite itself works: accept settings that change within the block, and keep what it opens."""
        return self.leaving(NOBODY)


@cache
def watch() -> LeftBehind:
    """The instance of this process."""
    return LeftBehind()
