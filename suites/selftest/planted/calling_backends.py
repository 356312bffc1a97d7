"""A plug-in for inner runs: encoders that go wrong by how they are called; $PLANT names them."""

import os
import time
from collections.abc import Callable, Mapping
from itertools import cycle
from threading import RLock
from typing import Any

import numpy as np

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Array, Encoder, Evidence, Tower
from fixtures.registry import backends
from suites.studies.faults.plants import Altered

TURNS = 4  # buffers that take turns: a result lasts for three more calls


class FirstCall(Altered):
    """The first call of each tower gives another vector."""

    def encode(self, batch: Any, tower: Tower) -> Array:
        """Mended from the second call on."""
        found, warm = super().encode(batch, tower), self.__dict__.setdefault("warm", set())
        first = tower not in warm
        warm.add(tower)
        return found[:, ::-1].copy() if first else found


class Turning(Altered):
    """Results lie in buffers that are used again after TURNS calls."""

    def encode(self, batch: Any, tower: Tower) -> Array:
        """In the next buffer."""
        found = super().encode(batch, tower)
        wide = (128, found.shape[1])
        buffers = self.__dict__.setdefault("buffers", cycle([np.empty(wide, np.float32) for _ in range(TURNS)]))
        buffer: Array = next(buffers)[: len(found)]
        buffer[:] = found
        return buffer


class RaisesInThreads(Altered):
    """One call at a time: the next one is refused while it runs."""

    running = RLock()

    def encode(self, batch: Any, tower: Tower) -> Array:
        """Long enough for others to come."""
        if not self.running.acquire(blocking=False):
            raise RuntimeError("another call is running\nin another thread")
        try:
            time.sleep(0.002)
            return super().encode(batch, tower)
        finally:
            self.running.release()


class SharedByTowers(Altered):
    """A buffer that is one tower's until the other runs."""

    last: tuple[Tower, Array] | None = None

    def encode(self, batch: Any, tower: Tower) -> Array:
        """A call of the other tower writes over the last result."""
        found = super().encode(batch, tower)
        if self.last and self.last[0] != tower:
            self.last[1][: len(found)] = found[: len(self.last[1])]
        self.last = (tower, found)
        return found


class RawMemory(Altered):
    """Reads as many numbers from where the array begins as it has, whatever its strides."""

    def encode(self, batch: Any, tower: Tower) -> Array:
        """As C code does that was given a pointer."""
        order = sorted(range(batch.ndim), key=lambda axis: -abs(batch.strides[axis]))
        return super().encode(np.ascontiguousarray(batch.transpose(order)).reshape(batch.shape), tower)


class RefusesNone(Altered):
    """No rows are an error."""

    def encode(self, batch: Any, tower: Tower) -> Array:
        """Until there is one."""
        if not len(batch):
            raise ValueError("an empty batch")
        return super().encode(batch, tower)


class NeverRecovers(Altered):
    """After an error each batch lacks its last row's own vector."""

    def encode(self, batch: Any, tower: Tower) -> Array:
        """Remembers that there was one."""
        try:
            found = super().encode(batch, tower)
        except Exception:
            self.hurt = True
            raise
        if getattr(self, "hurt", False):
            found[-1] = found[0]
        return found


class SpreadsNaN(Altered):
    """Shifts each row by the mean of its batch where that is not finite."""

    def encode(self, batch: Any, tower: Tower) -> Array:
        """All rows are lost."""
        found = super().encode(batch, tower)
        return found if np.isfinite(found).all() else np.full_like(found, np.nan)


class TwinsAreOne(Altered):
    """Equal neighbours are computed once, and the rows after them move up."""

    def encode(self, batch: Any, tower: Tower) -> Array:
        """Right for a batch without."""
        twin = [i for i in range(1, len(batch)) if np.array_equal(batch[i], batch[i - 1])]
        found = super().encode(batch, tower)
        return found if not twin else np.concatenate([np.delete(found, twin, axis=0), found[: len(twin)]])


class LowerAbove(Altered):
    """fp16 for batches of more than 16, which its evidence says."""

    def evidence(self, batch: Any, tower: Tower) -> Evidence | None:
        """Of this batch."""
        return Evidence("fp16" if len(batch) > 16 else "fp32", "cpu", "planted")


class Beside(Altered):
    """One product in bf16 beside many in fp32."""

    def evidence(self, batch: Any, tower: Tower) -> Evidence | None:
        """Of every batch."""
        return Evidence("fp32", "cpu", "planted", ("bf16",))


BACKENDS: Mapping[str, tuple[Callable[[Encoder], Encoder], tuple[str, ...]]] = {
    "first-call": (FirstCall, ("E14",)),
    "turning": (Turning, ("E10", "E7")),
    "raises-in-threads": (RaisesInThreads, ("E10",)),
    "shared-by-towers": (SharedByTowers, ("E10", "E7")),
    "raw-memory": (RawMemory, ("E13",)),
    "refuses-none": (RefusesNone, ("E1",)),
    "never-recovers": (NeverRecovers, ("E15",)),
    "spreads-nan": (SpreadsNaN, ("E15",)),
    "twins-are-one": (TwinsAreOne, ("E4",)),
    "lower-above": (LowerAbove, ("E9",)),
    "beside": (Beside, ("E9",)),
}


def _backend(called: str) -> TorchEager:
    class Calling(TorchEager):
        name = called
        precisions = ("fp32",)

        def load(self, model, precision, device):  # type: ignore[no-untyped-def]
            return BACKENDS[called][0](super().load(model, precision, device))

    return Calling()


def pytest_configure() -> None:
    """Those that were asked for."""
    for name in filter(None, os.environ.get("PLANT", "").split(",")):
        backends()[name] = _backend(name)
