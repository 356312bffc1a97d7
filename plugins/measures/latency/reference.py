"""The reference of timings: torch eager fp32 of the same model on the same device; for that cell itself, an anchor."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import cycle

import numpy as np

from fixtures.capability import Array, Encoder, Tokens, Tower
from fixtures.cells import EncoderKey
from plugins.measures.latency.paired import clocked

BACKEND, PRECISION = "torch-eager", "fp32"
Take = Callable[[int], Sequence[Array | Tokens]]  # the next so many batches of one row
LONGER = 2  # factor on the calls per block, so that at least one call is likely to be undisturbed
ANCHORS = {"cpu": (256, "one 256 × 256 fp32 product of NumPy"), "cuda": (1024, "one 1024 × 1024 fp32 product on the device")}
ANCHOR_NAMES = [name for _, name in ANCHORS.values()]


def reference_key(key: EncoderKey) -> EncoderKey:
    """Return the encoder that `key` is timed against; an equal key if `key` is the reference."""
    return EncoderKey(key.model, BACKEND, PRECISION, key.device)


class Calls:
    """Blocks of calls of one side: a block makes `longer` times the requested calls, gives the fastest's time, and keeps all.

    History compares runs under different load, and the ratio of the fastest calls is robust to load: with two other processes
    on two cores it moved from 0.60 to 0.64, but the ratio of medians from 0.57 to 0.08 (text towers of 1 and 2 ms). Longer
    calls are interrupted more often. A slowdown of only some calls shows in the times of `blocks`.
    """

    def __init__(
        self, timed: Callable[[], float], prepare: Callable[[int], object] | None = None, longer: int = LONGER
    ) -> None:
        """`timed` makes a call and returns its seconds; `prepare` runs before a block, with the number of its calls."""
        self._timed, self._prepare, self._longer = timed, prepare, longer
        self.blocks: list[list[float]] = []  # seconds of every call

    def __call__(self, calls: int) -> float:
        """The seconds of the fastest call."""
        if self._prepare:
            self._prepare(self._longer * calls)
        self.blocks.append([self._timed() for _ in range(self._longer * calls)])
        return min(self.blocks[-1])


def calls_of(encoder: Encoder, take: Take, tower: Tower) -> Calls:
    """Return blocks of host-to-host calls, each on the next batch that `take` gives; batches are taken and encoder settings
    restored before the clock starts."""
    waiting: deque[Array | Tokens] = deque()

    def prepare(calls: int) -> None:
        waiting.extend(take(calls))
        encoder.restore_settings()

    return Calls(clocked(lambda: encoder.encode(waiting.popleft(), tower)), prepare)


def in_turn(batches: Sequence[Array | Tokens]) -> Take:
    """Take the same batches again and again: for a comparison in which no answer may come from memory, take new ones."""
    turns = cycle(batches)
    return lambda n: [next(turns) for _ in range(n)]


def anchor(device: str, like_s: float) -> tuple[str, Calls]:
    """Return the name and blocks of the reference's anchor: matrix products of one size, repeated for about `like_s` seconds.

    The anchor detects a slower reference, which would make every other cell look faster: the reference's ratio to itself is
    always 1. The anchor does the same kind of arithmetic without the model's code. A block returns the seconds of ONE product,
    so the ratio does not depend on the number of repeats. A device without an anchor uses the CPU's.
    """
    side, name = ANCHORS.get(device, ANCHORS["cpu"])
    product = _on_cuda(side) if device == "cuda" else _on_cpu(side)
    times = []
    for _ in range(9):
        started = time.perf_counter()
        product()
        times.append(time.perf_counter() - started)
    repeats = max(1, round(like_s / float(np.median(times))))

    def call() -> None:
        for _ in range(repeats):
            product()

    timed = clocked(call)
    return name, Calls(lambda: timed() / repeats)


def _on_cpu(side: int) -> Callable[[], object]:
    left, right = np.random.default_rng(0).standard_normal((2, side, side), dtype=np.float32)
    out = np.empty_like(left)
    return lambda: np.matmul(left, right, out=out)


def _on_cuda(side: int) -> Callable[[], object]:
    import torch

    from fixtures.backends._torch import use_tf32

    use_tf32(False)
    left, right = torch.ones((2, side, side), device="cuda").unbind()

    def product() -> None:
        torch.mm(left, right)
        torch.cuda.synchronize()

    return product
