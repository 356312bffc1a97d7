"""A plug-in for inner runs: $FLAGS are the processor's, as far as this suite knows. Libraries still see the real one."""

import os
import platform

import pytest

from fixtures.machine import devices

NEW, OLD = "avx2 avx512_vnni", "avx2"  # which sums products of int8 in 32 bits, which does not
real = devices.processor


def play(patch: pytest.MonkeyPatch, flags: str) -> None:
    """From now on this is an x86 processor with these flags."""
    patch.setattr(platform, "machine", lambda: "x86_64")
    patch.setattr(devices, "processor", lambda field: flags if field == "flags" else real(field))


def pytest_configure(config: pytest.Config) -> None:
    """Until the run ends."""
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    play(patch, os.environ["FLAGS"])
