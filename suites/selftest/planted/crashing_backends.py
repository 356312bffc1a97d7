"""A plug-in for inner runs: backends that kill the process, never come back, or eat its memory, beside a good one."""

import os
import signal
import time
from collections.abc import Callable

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Encoder
from fixtures.registry import backends


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang() -> None:
    time.sleep(3600)


def _eat() -> None:
    eaten = []
    while True:
        eaten.append(b"x" * 20_000_000)
        time.sleep(0.02)


WAYS: dict[str, Callable[[], None]] = {"crash": _crash, "hang": _hang, "eat": _eat, "live": lambda: None}


def _backend(way: str) -> TorchEager:
    class Deadly(TorchEager):
        name = way
        precisions: tuple[str, ...] = ("fp32",)

        def load(self, model, precision, device) -> Encoder:  # type: ignore[no-untyped-def]
            WAYS[way]()
            return super().load(model, precision, device)

    return Deadly()


def pytest_configure() -> None:
    """Join the matrix."""
    backends().update({way: _backend(way) for way in WAYS})
