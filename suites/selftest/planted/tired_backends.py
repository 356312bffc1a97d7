"""A plug-in for inner runs about sustained load: backends that tire, fall asleep in a pause, or compile for each shape."""

import time
from typing import TYPE_CHECKING, Any

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Encoder, Tower
from fixtures.registry import backends
from plugins.measures.latency import pauses
from suites.studies.faults.plants import Altered

if TYPE_CHECKING:
    from fixtures.models import Model

AFTER, TIRED = 200, 1.3  # calls, and how many times as long all later ones take
IDLE_S, ASLEEP = 0.04, 2.5  # far from what L8 allows a first call, which may follow a pause too
COMPILES = 20.0
SHORT = {0.05: 10, 0.06: 6}  # pauses of the inner run


class Tires(Altered):
    """Calls of fault `which` take longer."""

    def __init__(self, good: Encoder, which: str) -> None:
        super().__init__(good, looks=False)
        self.which, self.calls, self.ended, self.shapes = which, 0, time.perf_counter(), set[tuple[Tower, int]]()

    def forward(self, batch: Any, tower: Tower) -> object:
        """Busy for the rest of it."""
        started = time.perf_counter()
        times = self._times(started, tower, len(batch))
        found = super().forward(batch, tower)
        ends = started + times * (time.perf_counter() - started)
        while time.perf_counter() < ends:
            pass
        self.ended = time.perf_counter()
        return found

    def _times(self, now: float, tower: Tower, rows: int) -> float:
        self.calls += 1
        new = (tower, rows) not in self.shapes
        self.shapes.add((tower, rows))
        if self.which == "calls" and self.calls > AFTER:
            return TIRED
        if self.which == "pauses" and now - self.ended > IDLE_S:
            return ASLEEP
        return COMPILES if self.which == "shapes" and new else 1.0


class TiresBackend(TorchEager):
    """See Tires."""

    precisions: tuple[str, ...] = ("fp32",)

    def __init__(self, which: str) -> None:
        self.which, self.name = which, f"tires-{which}"

    def load(self, model: "Model", precision: str, device: str) -> Encoder:
        """A good encoder with slow calls."""
        return Tires(super().load(model, precision, device), self.which)


def pytest_configure() -> None:
    """Join the matrix; pauses are short; one thread a side, because threads that wait for each other wait longest."""
    import torch

    torch.set_num_threads(1)
    backends().update({known.name: known for known in map(TiresBackend, ("never", "calls", "pauses", "shapes"))})
    pauses.PAUSES = SHORT
