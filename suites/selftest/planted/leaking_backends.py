"""A plug-in for inner runs: backends that keep something of each call, each of which is named for what it keeps."""

import ctypes
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from threading import Event, Thread
from typing import Any

import numpy as np

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Array, Encoder, Tokens, Tower
from fixtures.registry import backends

MB = 10**6


def _native(kept: list[Any], batch: Any, tower: Tower) -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.memset(ctypes.c_void_p(libc.malloc(MB)), 1, MB)


def _thread(kept: list[Any], batch: Any, tower: Tower) -> None:
    kept.append(Thread(target=Event().wait, daemon=True))
    kept[-1].start()


def _child(kept: list[Any], batch: Any, tower: Tower) -> None:
    kept.append(subprocess.Popen(["sleep", "20"]))


def _file(kept: list[Any], batch: Any, tower: Tower) -> None:
    kept.append(tempfile.TemporaryFile())  # noqa: SIM115 - left open on purpose


def _bytes(kept: list[Any], size: int = MB) -> bool:
    kept.append(np.ones(size, np.uint8))
    return True


def every(calls: int, keep: Callable[..., None]) -> Callable[..., None]:
    """Once in so many calls."""
    count = 0

    def sometimes(kept: list[Any], batch: Any, tower: Tower) -> None:
        nonlocal count
        count += 1
        if count % calls == 0:
            keep(kept, batch, tower)

    return sometimes


WAYS: dict[str, Callable[[list[Any], Any, Tower], object]] = {
    "nothing": lambda kept, batch, tower: None,
    "bytes": lambda kept, batch, tower: _bytes(kept),
    "bytes-of-images": lambda kept, batch, tower: tower == "image" and _bytes(kept),
    "bytes-of-texts": lambda kept, batch, tower: tower == "text" and _bytes(kept),
    "bytes-of-five": lambda kept, batch, tower: len(batch) == 5 and _bytes(kept),
    "bytes-of-the-system": _native,
    "8-kib": lambda kept, batch, tower: _bytes(kept, 8192),
    "a-file": _file,
    "a-file-in-ten": every(10, _file),
    "a-thread": _thread,
    "a-thread-in-ten": every(10, _thread),
    "a-child-in-ten": every(10, _child),
    "the-last-eighty": lambda kept, batch, tower: (_bytes(kept), kept.pop(0) if len(kept) > 80 else None),
}


class LeakyEncoder(Encoder):
    """An embedding is the mean of each input, `width` times."""

    def __init__(self, way: str, width: int) -> None:
        self.keep, self.kept, self.width = WAYS[way], list[Any](), width

    def upload(self, batch: Array | Tokens, tower: Tower) -> object:
        """Keep what shall be kept."""
        self.keep(self.kept, batch, tower)
        return batch

    def forward(self, batch: Any, tower: Tower) -> object:
        """The mean."""
        return batch.reshape(len(batch), -1).mean(axis=1)

    def download(self, embedding: Any) -> Array:
        """As many times as there are dimensions."""
        return np.repeat(embedding[:, None], self.width, axis=1).astype(np.float32)


@cache
def backend(way: str) -> TorchEager:
    """Which keeps it."""

    class Leaky(TorchEager):
        name = f"keeps-{way}"
        precisions: tuple[str, ...] = ("fp32",)

        def load(self, model: Any, precision: str, device: str) -> Encoder:
            return LeakyEncoder(way, model.embed_dim)

    return Leaky()


def pytest_configure() -> None:
    """Join the matrix."""
    backends().update({backend(way).name: backend(way) for way in WAYS})
