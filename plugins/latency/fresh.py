"""Where a comparison times its two sides: in fresh processes, or, where nothing is stored or compared, in this one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from fixtures.capability import Array, Encoder, Tower
from fixtures.worker.client import Worker
from fixtures.worker.server import timed_calls
from fixtures.worker.start import Start
from plugins.cells.new_inputs import Batch, NewInputs
from plugins.measures.latency.starts import Block
from plugins.measures.latency.steady import warm_up

WARM_UP_S = 0.5  # of a side in a start; a percentile of its calls stands for it, so that the last slow ones do not count


@dataclass
class Side:
    """An encoder that is built anew in a new process for each start, a fork of `worker` that opens `cell`."""

    worker: Worker
    cell: tuple[Any, ...]  # arguments of Server.open_cell
    process: Start | None = None  # of the start that goes on
    opened: list[dict[str, Any]] = field(default_factory=list)  # by start: open_cell's answer, and the first call's seconds
    looked_at: list[tuple[Batch, Array]] = field(default_factory=list)  # by start: an input and its vector

    def begin(self) -> None:
        """Start a process that builds the encoder. Raises RuntimeError if there is none."""
        self.process = Start(self.worker)
        self._opening = self.process.begin_to("open_cell", *self.cell)

    def built(self) -> dict[str, Any]:
        """Wait for the encoder. Raises Unavailable, or RuntimeError if it cannot be built there."""
        self.opened.append(self._opening())
        return self.opened[-1]

    def leave(self) -> None:
        """End the process, which may have ended or hung."""
        if self.process:
            self.process.end()
        self.process = None

    @property
    def started(self) -> Start:
        """The process of the start that goes on."""
        assert self.process, "a side begins before it is asked"
        return self.process

    def answers_within(self, seconds: float) -> None:
        """From here on an answer that takes longer is an error."""
        self.worker.limit_s = self.started.limit_s = seconds

    def block(self, inputs: NewInputs, tower: Tower, rests: bool) -> Block:
        """Timed calls there, each on a new input; if it `rests`, it does so after several calls, never after a single one."""

        return lambda calls: self.timed(np.concatenate(inputs.take(calls)), tower, rest=rests and calls > 1)

    def timed(self, batch: np.ndarray, tower: Tower, at_once: int = 1, rest: bool = False) -> tuple[list[float], list[float]]:
        """A call there for every `at_once` rows: the seconds of each, and those that it waited for a processor."""
        seconds, waited = self.started.ask("timed", tower, at_once, rest, batch=batch)
        self._last: Batch = batch[-1:]
        return seconds, waited

    def look(self) -> None:
        """Keep the last timed call's input and vector."""
        self.looked_at.append((self._last, self.started.ask("results")[-1:]))


@contextmanager
def begun(sides: tuple[Side, Side], inputs: NewInputs, tower: Tower, rests: bool = True) -> Iterator[tuple[Block, Block]]:
    """A new process of each side, warmed up; both end with the block. Errors: see Side.

    Both build at the same time, which takes little more than a processor each; they are warmed up one after the other.
    """
    try:
        blocks = []
        for side in sides:
            side.begin()
        for side, opened in zip(sides, [side.built() for side in sides], strict=True):
            block = side.block(inputs.beside(), tower, rests)
            opened["first_s"] = block(1)[0][0]
            warm_up(partial(block, 1), WARM_UP_S)
            side.started.ask("settle")
            blocks.append(block)
        yield blocks[0], blocks[1]
        sides[0].look()
    finally:
        for side in sides:
            side.leave()


def here(encoder: Encoder, inputs: NewInputs, tower: Tower) -> Block:
    """Timed calls in this process; the encoder's settings are restored before the clock starts."""

    def block(calls: int) -> tuple[list[float], list[float]]:
        batch = np.concatenate(inputs.take(calls))
        encoder.restore_settings()
        seconds, waited, _ = timed_calls(encoder, batch, tower, rest=calls > 1)
        return seconds, waited

    return block


@dataclass(frozen=True)
class Timing:
    """How an encoder's tower is timed beside what it is compared with."""

    opponent: str  # shown to users, and part of a stored run's name
    begin: Callable[[bool], AbstractContextManager[tuple[Block, Block]]]  # a new process of each side; do blocks rest?
    starts: int | None = None  # of each side; None: what the budget holds
    sides: tuple[Side, ...] = ()  # ours and the other, where they are in processes of their own

    @property
    def ours(self) -> Side | None:
        """Our side, where it is in a process of its own."""
        return self.sides[0] if self.sides else None
