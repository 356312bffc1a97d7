"""A plug-in for inner runs: pretends that there is a CUDA device, which a backend's call breaks for its whole process.

With $STAYS, a file, the device stays broken in every later process too.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Encoder
from fixtures.registry import backends
from suites.selftest.planted.leaking_backends import LeakyEncoder

BROKEN: list[bool] = []
SAYS = "CUDA error: an illegal memory access was encountered"


def broken() -> str:
    """What the device answers."""
    stays = os.environ.get("STAYS")
    return SAYS if BROKEN or (stays and Path(stays).exists()) else ""


class OnDevice(LeakyEncoder):
    """Works while the device does, and breaks it by a batch if it is the one that does."""

    breaks = False

    def forward(self, batch: Any, tower: str) -> object:
        """A mean, or the device's error."""
        if self.breaks and len(batch) > 1:
            BROKEN.append(True)
            if "STAYS" in os.environ:
                Path(os.environ["STAYS"]).touch()
        if broken():
            raise RuntimeError(broken())
        return super().forward(batch, "image")


class Good(TorchEager):
    """Runs on the device."""

    name = "second"
    precisions: tuple[str, ...] = ("fp32",)
    devices = ("cuda",)  # type: ignore[assignment]
    breaks = False

    def load(self, model: Any, precision: str, device: str) -> Encoder:
        """It always can be built."""
        encoder = OnDevice("nothing", model.embed_dim)
        encoder.breaks = self.breaks
        return encoder


class Bad(Good):
    """Breaks it."""

    name = "first"
    breaks = True


def pytest_configure() -> None:
    """Join the matrix."""
    backends().update({"first": Bad(), "second": Good()})
    patch = pytest.MonkeyPatch()
    patch.setattr("plugins.cells.matrix.cuda_count", lambda: 1)
    patch.setattr("plugins.subjects.require_usable", lambda backend, precision, device: None)
    patch.setattr("plugins.supervision.device_lost.ask", broken)
