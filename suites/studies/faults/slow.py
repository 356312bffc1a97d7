"""A plug-in for inner runs about latency: backends that take longer than they should, by $EXTRA of their own time."""

import os
import time
from typing import TYPE_CHECKING

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Encoder, Tower
from fixtures.registry import backends
from suites.studies.faults.plants import Altered

if TYPE_CHECKING:
    from fixtures.models import Model

FIRST_S = 0.5


class Slow(Altered):
    """Goes on for a share of the time that each forward pass took; its first one of each tower waits FIRST_S more."""

    def __init__(self, good: Encoder, extra: float, first_s: float) -> None:
        super().__init__(good, looks=False)
        self.extra, self.waits = extra, {"image": first_s, "text": first_s}

    def forward(self, batch: object, tower: Tower) -> object:
        """Busy, not asleep: what is planted is work."""
        time.sleep(self.waits.pop(tower, 0.0))
        started = time.perf_counter()
        found = super().forward(batch, tower)
        ends = time.perf_counter() + self.extra * (time.perf_counter() - started)
        while time.perf_counter() < ends:
            pass
        return found


class SlowBackend(TorchEager):
    """fp32 inside, whatever it is called; "first" is slow in its first calls only."""

    name = "slow"
    precisions: tuple[str, ...] = ("fp32", "fp16")

    def load(self, model: "Model", precision: str, device: str) -> Encoder:
        """$EXTRA is a share: 0.1 takes 10 % longer."""
        good, extra = super().load(model, "fp32", device), os.environ["EXTRA"]
        return Slow(good, 0.0, FIRST_S) if extra == "first" else Slow(good, float(extra), 0.0)


def pytest_configure() -> None:
    """Join the matrix."""
    backends()[SlowBackend.name] = SlowBackend()
