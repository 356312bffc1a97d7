"""The reference of timings: torch eager fp32 of the same model on the same device; for that cell itself, an anchor."""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from fixtures.capability import Array, Backend, Encoder, Tokens, Tower
from fixtures.cells import EncoderKey
from plugins.measures.latency.paired import Block, timed

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


def calls_of(encoder: Encoder, take: Take, tower: Tower) -> Block:
    """Return blocks of host-to-host calls, each on the next batch that `take` gives, LONGER times as many as are asked for;
    batches are taken and encoder settings restored before the clock starts."""
    waiting: deque[Array | Tokens] = deque()
    fastest = timed(lambda: encoder.encode(waiting.popleft(), tower))

    def block(calls: int) -> float:
        waiting.extend(take(LONGER * calls))
        encoder.restore_settings()
        return fastest(LONGER * calls)

    return block


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
