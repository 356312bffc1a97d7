"""Simulated processes of both sides of a comparison, whose spread and interruptions are known."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import exp

import numpy as np

from plugins.measures.latency.starts import Block

CALL_S = 0.003
NOISE = 0.02  # standard deviation from call to call
SLOW = (
    1.6,
    1.33,
)  # times as long in another state of the machine: ours as onnxruntime, the other as torch eager, as seen


class Machine:
    """Processes whose level differs by `spread` from one to the next, on a machine that interrupts a share of the calls.

    All of them take `pace` times as long as usual. In a share `slow` of the starts the machine is in a state in which both
    sides take longer, unequally: SLOW.
    """

    def __init__(self, seed: int, spread: float = 0.01, busy: float = 0.3, pace: float = 1.0, slow: float = 0.0) -> None:
        self.rng, self.spread, self.busy, self.pace, self.slow = np.random.default_rng(seed), spread, busy, pace, slow
        self.processes = 0

    def block(self, seconds: float, every: float = 0.0, times: float = 1.0) -> Block:
        """One process's calls; a share `every` of them takes `times` as long by itself."""
        level = self.pace * seconds * exp(self.rng.normal(0, self.spread))

        def block(calls: int) -> tuple[list[float], list[float]]:
            own = level * np.exp(self.rng.normal(0, NOISE, calls)) * np.where(self.rng.random(calls) < every, times, 1.0)
            waited = np.where(self.rng.random(calls) < self.busy, self.rng.uniform(0.1, 9, calls), 0.0) * level
            return (own + waited).tolist(), waited.tolist()

        return block

    @contextmanager
    def begin(self, slower: float = 0.0, every: float = 0.0, times: float = 1.0) -> Iterator[tuple[Block, Block]]:
        """A process of each side, ours `slower`: 0.1 is 10 %."""
        self.processes += 2
        ours, other = SLOW if self.rng.random() < self.slow else (1.0, 1.0)
        yield self.block(CALL_S * (1 + slower) * ours, every, times), self.block(CALL_S * other)
