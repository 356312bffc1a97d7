"""The reference of timings: torch eager fp32 of the same model on the same device; for that cell itself, an anchor."""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from fixtures.capability import Array, Backend, Encoder, Tokens, Tower
from fixtures.cells import EncoderKey
from plugins.measures.latency.paired import clocked

if TYPE_CHECKING:
    from fixtures.models import Model

BACKEND, PRECISION = "torch-eager", "fp32"
Take = Callable[[int], Sequence[Array | Tokens]]  # the next so many batches of one row
LONGER = 2  # factor on the calls per block, so that at least one call is likely to be undisturbed
PRODUCTS = 8  # a call of the anchor: a few milliseconds
ANCHORS = {
    "cpu": ((256, 256), f"{PRODUCTS} 256 × 256 fp32 products of NumPy"),
    "cuda": ((1024, 1024), f"{PRODUCTS} 1024 × 1024 fp32 products on the device"),
}
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


class Anchor(Encoder):
    """What the reference itself is timed against: PRODUCTS matrix products a call, whatever the input.

    The anchor detects a slower reference, which would make every other cell look faster: the reference's ratio to itself is
    always 1. The anchor does the same kind of arithmetic without the model's code. A device without an anchor uses the CPU's.
    """

    def __init__(self, device: str) -> None:
        self._product = _on_cuda() if device == "cuda" else _on_cpu()

    def upload(self, batch: Array | Tokens, tower: Tower) -> object:
        """Nothing."""
        return None

    def forward(self, batch: object, tower: Tower) -> object:
        """Multiply."""
        for _ in range(PRODUCTS):
            self._product()
        return None

    def download(self, embedding: object) -> Array:
        """One row of nothing."""
        return np.zeros((1, 1), np.float32)


class AnchorBackend(Backend):
    """Builds it where encoders are built."""

    name = "anchor"
    precisions = (PRECISION,)

    def load(self, model: "Model", precision: str, device: str) -> Encoder:
        """No model is needed."""
        return Anchor(device)


def anchor_name(device: str) -> str:
    """What users are shown of it."""
    return ANCHORS.get(device, ANCHORS["cpu"])[1]


def _on_cpu() -> Callable[[], object]:
    left, right = np.random.default_rng(0).standard_normal((2, *ANCHORS["cpu"][0]), dtype=np.float32)
    out = np.empty_like(left)
    return lambda: np.matmul(left, right, out=out)


def _on_cuda() -> Callable[[], object]:
    import torch

    from fixtures.backends._torch import use_tf32

    use_tf32(False)
    left, right = torch.ones((2, *ANCHORS["cuda"][0]), device="cuda").unbind()

    def product() -> None:
        torch.mm(left, right)
        torch.cuda.synchronize()

    return product
