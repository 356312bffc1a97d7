"""A plug-in for inner runs about latency: backends that answer from memory, or whose calls are slow now and then."""

import os
from typing import TYPE_CHECKING, Any

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Array, Encoder, Tower
from fixtures.registry import backends
from suites.studies.faults.plants import Altered

if TYPE_CHECKING:
    from fixtures.models import Model


class Remembers(Altered):
    """Computes each input once."""

    def __init__(self, good: Encoder) -> None:
        super().__init__(good, looks=False)
        self.answers: dict[bytes, Array] = {}

    def encode(self, batch: Any, tower: Tower) -> Array:
        """From memory, if it was asked before."""
        key = batch.tobytes()
        if key not in self.answers:
            self.answers[key] = super().encode(batch, tower).copy()
        return self.answers[key].copy()


class Uneven(Altered):
    """Every $EVERY-th call takes $TIMES times as long; none without $EVERY."""

    def __init__(self, good: Encoder) -> None:
        super().__init__(good, looks=False)
        self.every, self.times, self.calls = int(os.environ.get("EVERY", "0")), int(os.environ.get("TIMES", "1")), 0

    def forward(self, batch: object, tower: Tower) -> object:
        """The last of so many passes: work, which other programs interrupt like any other."""
        self.calls += 1
        slow = self.every and self.calls % self.every == 0
        for _ in range(self.times - 1 if slow else 0):
            super().forward(batch, tower)
        return super().forward(batch, tower)


class RemembersBackend(TorchEager):
    """See Remembers."""

    name = "remembers"
    precisions: tuple[str, ...] = ("fp32",)

    def load(self, model: "Model", precision: str, device: str) -> Encoder:
        """A good encoder behind a cache of answers."""
        return Remembers(super().load(model, precision, device))


class UnevenBackend(TorchEager):
    """See Uneven."""

    name = "uneven"
    precisions: tuple[str, ...] = ("fp32",)

    def load(self, model: "Model", precision: str, device: str) -> Encoder:
        """A good encoder with slow calls."""
        return Uneven(super().load(model, precision, device))


def pytest_configure() -> None:
    """Join the matrix."""
    backends().update({known.name: known() for known in (RemembersBackend, UnevenBackend)})
