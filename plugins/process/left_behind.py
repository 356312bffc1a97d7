"""Looks after the process: what a cell changes is put back, what it leaves is ended, and both are noted of who did it.

What happens between two looks is the present owner's: a test's subject, or that for which something is made lazily within the
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
NOBODY = ""  # what the suite itself does is accepted as it is


class LeftBehind:
    """Everything found so far: by owner, by the thing that it is about, one sentence."""

    def __init__(self) -> None:
        self.during = ""  # the test that runs
        self.started = time.time()
        self.found: dict[Owner, dict[str, str]] = defaultdict(dict)
        self.untold: list[tuple[Owner, str]] = []
        self.to_come: set[Owner] = set()  # whose own test of it follows
        self._owners: list[Owner] = [NOBODY]
        self._state = process_state.seen()
        self._bases: list[Holdings] = []  # what was there when each look at leftovers began, or is not its owner's

    @contextmanager
    def done_by(self, owner: Owner) -> Iterator[None]:
        """Settings that change within are changed by the owner."""
        self.look()
        self._owners.append(owner)
        try:
            yield
        finally:
            self.look()
            self._owners.pop()

    def look(self) -> None:
        """Compare the settings with the last look; put back and note what the present owner has changed."""
        before, owner = self._state, self._owners[-1]
        self._state = process_state.seen()
        changed = process_state.changes(before, self._state)
        if owner == NOBODY or not changed:
            return
        stuck = process_state.put_back(changed)
        for name, (was, now) in changed.items():
            if not process_state.harmless(name, was, now):
                stays = ", and cannot be put back" if name in stuck else ""
                self.note(owner, name, f"{process_state.told(name, was, now)}{stays}")
        self._state = process_state.seen()

    def note(self, owner: Owner, thing: str, sentence: str) -> None:
        """Keep it, unless the thing is known of this owner, or of a part of this cell."""
        parts: list[Owner] = [owner, owner.encoder, owner.preprocessor] if isinstance(owner, Cell) else [owner]
        if not any(thing in self.found[part] for part in parts):
            self.found[owner][thing] = f"{sentence} (seen in {self.during})"
            self.untold.append((owner, thing))

    def told(self, owner: Owner) -> list[str]:
        """All sentences of an owner, which need not be told elsewhere any more."""
        self.look()
        self.untold = [(who, thing) for who, thing in self.untold if who != owner]
        return list(self.found[owner].values())

    def begin(self) -> Holdings:
        """What there is now is not to be blamed on who works from now on."""
        self._bases.append(leftovers.held())
        return self._bases[-1]

    def end(self, owner: Owner, base: Holdings) -> None:
        """Who began with `base` has been dropped: note and end what is left of it. NOBODY's stays."""
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
        """A preprocessor, or nobody, works: what it changes and leaves is its own."""
        base = self.begin()
        try:
            with self.done_by(owner):
                yield
        finally:
            self.end(owner, base)

    def sweep(self) -> None:
        """At the end of the run: end all children that have come since the first test, whosever they are."""
        new = leftovers.held()
        new.children = {key: child for key, child in new.children.items() if key[1] >= self.started}
        new.end()

    def kept(self) -> AbstractContextManager[None]:
        """The suite's own: settings that change within are accepted, and what is opened stays."""
        return self.leaving(NOBODY)


@cache
def watch() -> LeftBehind:
    """The one of this process."""
    return LeftBehind()
