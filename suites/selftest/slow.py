"""A plug-in for inner runs: backend `steady`, whose forward pass runs $TIMES times: 2 is a slowdown of known size."""

import os

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Array, Encoder, Tokens, Tower
from fixtures.registry import backends
from suites.faults.plants import Altered


class Repeated(Altered):
    """A good encoder that works several times as long for the same result."""

    def forward(self, batch: object, tower: Tower) -> object:
        """The last of $TIMES passes."""
        for _ in range(int(os.environ.get("TIMES", "1")) - 1):
            self.good.forward(batch, tower)
        return super().forward(batch, tower)

    def encode(self, batch: Array | Tokens, tower: Tower) -> Array:
        """Host to host."""
        return self.download(self.forward(self.upload(batch, tower), tower))


class Steady(TorchEager):
    """torch eager fp32 under another name."""

    name = "steady"
    precisions: tuple[str, ...] = ("fp32", "fp16")

    def load(self, model, precision, device) -> Encoder:  # type: ignore[no-untyped-def]
        return Repeated(super().load(model, "fp32", device), looks=False)


def pytest_configure() -> None:
    """Join the matrix."""
    backends()[Steady.name] = Steady()
