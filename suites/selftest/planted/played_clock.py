"""A plug-in for inner runs about latency: a played clock, on which a pass of an encoder takes PASS_S and all else no time.

What such a run says depends on the passes that are planted, and not on who else uses the machine; timed calls are few.
"""

import time
from typing import Any

import pytest

from fixtures.backends._torch import TorchEncoder
from fixtures.capability import Encoder, Tower
from fixtures.worker import server
from plugins.latency import fresh
from plugins.measures.latency import starts
from plugins.measures.latency.reference import Anchor

PASS_S = 0.005
LOOK_S = 1e-6  # a look at the clock: what takes no pass takes some time, because times are divided


class Clock:
    """Stands for the module time where calls are timed."""

    now = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def perf_counter(self) -> float:
        """Seconds."""
        self.now += LOOK_S
        return self.now

    def sleep(self, seconds: float) -> None:
        """Over at once."""
        self.now += seconds


class AtRest(server.Threads):
    """No other program is in the way, and no thread goes on."""

    def __init__(self) -> None:
        """No thread is looked at."""
        self._files = []


CLOCK = Clock()


def _takes_its_time(kind: type[Encoder]) -> None:
    real = kind.forward

    def forward(self: Encoder, batch: Any, tower: Tower) -> object:
        CLOCK.now += PASS_S
        return real(self, batch, tower)

    kind.forward = forward  # type: ignore[method-assign]


@pytest.hookimpl(trylast=True)  # behind tiny.py, which has a WARM_UP_S of its own
def pytest_configure() -> None:
    """Before the processes of comparisons are forked; each goes on with a copy of the clock."""
    vars(server).update(time=CLOCK, Threads=AtRest)
    timed: tuple[type[Encoder], ...] = (TorchEncoder, Anchor)
    for kind in timed:
        _takes_its_time(kind)
    fresh.WARM_UP_S, starts.PATIENCE = 0.0, float("inf")  # these two are by the real clock
