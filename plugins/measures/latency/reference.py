"""The reference of a timed cell: torch eager fp32 of the same model on the same device, which itself has another anchor."""

import time
from collections.abc import Callable, Sequence
from itertools import cycle

import numpy as np

from fixtures.capability import Array, Encoder, Tokens, Tower
from fixtures.cells import EncoderKey
from plugins.measures.latency.paired import Block, timed

BACKEND, PRECISION = "torch-eager", "fp32"
LONGER = 2  # calls a block, relative to comparisons within one run: makes an undisturbed call more likely
ANCHORS = {"cpu": (256, "one 256 × 256 fp32 product of NumPy"), "cuda": (1024, "one 1024 × 1024 fp32 product on the device")}
ANCHOR_NAMES = [name for _, name in ANCHORS.values()]


def reference_key(key: EncoderKey) -> EncoderKey:
    """The encoder that `key` is timed against; `key` itself where it is the reference."""
    return EncoderKey(key.model, BACKEND, PRECISION, key.device)


def fastest(call: Callable[[], object]) -> Block:
    """The fastest call of a block of LONGER times as many calls as requested.

    A call that another process interrupts is as long as the interruption, and a longer call is interrupted more often: the
    ratio of two medians moved from 0.57 to 0.08 when two neighbours came to two cores, that of the fastest calls from 0.60 to
    0.64 (text towers of 1 and 2 ms). History compares runs under different load, so it keeps the latter. What only some calls
    suffer shows in L1's percentiles.
    """
    block = timed(call)
    return lambda calls: block(LONGER * calls)


def calls_of(encoder: Encoder, batches: Sequence[Array | Tokens], tower: Tower) -> Block:
    """Blocks of calls host to host, each with the next of `batches`; the encoder's settings are restored first, untimed."""
    turns = cycle(batches)
    block = fastest(lambda: encoder.encode(next(turns), tower))

    def resumed(calls: int) -> float:
        encoder.restore_settings()
        return block(calls)

    return resumed


def anchor(device: str, like_s: float) -> tuple[str, Block]:
    """The name and blocks of the reference's own anchor: matrix products of one size, repeated for about `like_s` seconds.

    The reference against itself would be 1 whatever happens to it, and a slower reference would make every other cell look
    faster. The anchor does arithmetic of the same kind without any of the model's code. A block gives the seconds of ONE
    product, so the ratio does not depend on how many fill the time. A device without an anchor of its own takes the CPU's.
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

    block = fastest(call)
    return name, lambda calls: block(calls) / repeats


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
