"""A plug-in for inner runs: a machine with a GPU whose driver is too old for torch's CUDA."""

from dataclasses import replace

import pytest

from fixtures.machine import facts as real
from fixtures.machine.driver import Driver, Gpu

OLD = Driver("470.57.02", (11, 4), (Gpu("Tesla T4", (7, 5)),))


def pytest_configure() -> None:
    """Played where it is asked."""
    found = replace(real.facts(), driver=OLD, torch_cuda=(13, 2))
    patch = pytest.MonkeyPatch()
    patch.setattr("fixtures.machine.versions.facts", lambda: found)
    patch.setattr("fixtures.machine.devices.driver", lambda: OLD)
