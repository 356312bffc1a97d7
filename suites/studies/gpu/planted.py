"""A plug-in for the record: a backend that runs out of the device's memory, one that loses the device, and one that is slow."""

import os
from typing import TYPE_CHECKING, Any

from fixtures.capability import Encoder, Tower
from fixtures.registry import backends
from suites.studies.faults.plants import Altered, Load, encoder, good

if TYPE_CHECKING:
    from fixtures.models import Model

TOO_MUCH = 2**50  # bytes: no device has as much
EXTRA = "EXTRA"  # the variable: a share of the time of a forward pass


def too_large(model: "Model", device: str, _: Any) -> Encoder:
    """Asks for more memory than there is while it is built; raises torch's own error."""
    import torch

    torch.empty(TOO_MUCH, dtype=torch.uint8, device=device)
    return good(model, device)


class Asserting(Altered):
    """Reads outside of an array in its second call: a device assert on CUDA, which the process does not survive."""

    calls = 0

    def forward(self, batch: object, tower: Tower) -> object:
        """The index lies on the device, so the host sees nothing of it."""
        import torch

        self.calls += 1
        if self.calls > 2:
            on = self.good.device  # type: ignore[attr-defined]
            torch.arange(4, device=on)[torch.tensor([9], device=on)]
        return super().forward(batch, tower)


class Longer(Altered):
    """Repeats a share of the work on the device: EXTRA = 0.02 repeats one forward pass in 50."""

    calls = 0

    def forward(self, batch: object, tower: Tower) -> object:
        """The queue of the device gets the extra work, as a slower kernel would give it."""
        self.calls += 1
        every = round(1 / float(os.environ[EXTRA])) if float(os.environ.get(EXTRA, 0)) else 0
        if every and self.calls % every == 0:
            super().forward(batch, tower)
        return super().forward(batch, tower)


PLANTED: dict[str, Load] = {
    "out-of-memory": too_large,
    "device-assert": lambda model, device, _: Asserting(good(model, device), looks=False),
    "slow-on-device": lambda model, device, _: Longer(good(model, device), looks=False),  # without EXTRA, torch eager
}


def pytest_configure() -> None:
    """Join the matrix before all others, so that a good encoder follows."""
    others = dict(backends())
    backends().clear()
    backends().update({name: encoder(load)(name, None) for name, load in PLANTED.items()} | others)
