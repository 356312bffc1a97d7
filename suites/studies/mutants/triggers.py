"""When a fault shows: for which rows of which calls."""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fixtures.capability import Tower
from suites.studies.mutants.grammar import Draw

TROUBLED_CALLS = 5  # that feel a trouble before them
RARE = 0.1  # the share of inputs that a condition on their content chooses, about


class Trigger:
    """Counts calls and remembers what it has seen, as a faulty backend does. Safe to call from several threads."""

    def __init__(self, draw: Draw) -> None:
        self.draw, self.calls, self.troubled, self.last = draw, 0, 0, ""
        self.seen: set[object] = set()
        self.lock = threading.Lock()
        # Pictures of some brightness, and texts that hold one of some tokens: a fraction of what people send.
        rng = draw.generator()
        self.brightness, self.residue = float(rng.uniform(-1.5, 1.5)), int(rng.integers(0, 97))

    def trouble(self) -> None:
        """A call has failed, or held numbers that are none."""
        with self.lock:
            self.troubled = TROUBLED_CALLS

    def rows(self, batch: Any, tower: Tower) -> NDArray[np.bool_]:
        """Which of the batch's rows are hit."""
        with self.lock:
            self.calls += 1
            last, self.last = self.last, tower
            first = self._first(batch, tower)
            troubled, self.troubled = self.troubled > 0, max(0, self.troubled - 1)
        hit = np.zeros(len(batch), bool)
        if tower not in self.draw.towers:
            return hit
        match self.draw.when:
            case "always":
                hit[:] = True
            case "length":
                hit[:] = [self._point(int(n)) for n in batch.argmax(axis=1) + 1]  # the end of a text has the largest id
            case "batch size":
                hit[:] = self._point(len(batch))
            case "call number":
                hit[:] = self._point(self.calls)
            case "content" if tower == "text":
                hit[:] = (batch % 97 == self.residue).any(axis=1)
            case "content":
                hit[:] = np.abs(batch.mean(axis=(1, 2, 3)) - self.brightness) < RARE
            case "thread":
                hit[:] = threading.current_thread() is not threading.main_thread()
            case "after trouble":
                hit[:] = troubled
            case "other tower":
                hit[:] = last not in ("", tower)
            case "first call" | "shape":
                hit[:] = first
        return hit

    def _point(self, value: int) -> bool:
        point = self.draw.point
        return {"only": value == point, "from": value >= point, "every": value % point == 0}[self.draw.mode]

    def _first(self, batch: Any, tower: Tower) -> bool:
        """The first call of a tower, or of a shape."""
        key = (tower, batch.shape) if self.draw.when == "shape" else tower
        first = key not in self.seen
        self.seen.add(key)
        return first
