"""The reference of timings: torch eager fp32 of the same model on the same device; for that cell itself, an anchor."""

import time
from collections.abc import Callable, Sequence
from itertools import cycle

import numpy as np

from fixtures.capability import Array, Encoder, Tokens, Tower
from fixtures.cells import EncoderKey
from plugins.measures.latency.paired import Block, timed

BACKEND, PRECISION = "torch-eager", "fp32"
LONGER = 2  # factor on the calls per block, so that at least one call is likely to be undisturbed
ANCHORS = {"cpu": (256, "one 256 × 256 fp32 product of NumPy"), "cuda": (1024, "one 1024 × 1024 fp32 product on the device")}
ANCHOR_NAMES = [name for _, name in ANCHORS.values()]


def reference_key(key: EncoderKey) -> EncoderKey:
    """Return the encoder that `key` is timed against; an equal key if `key` is the reference."""
    return EncoderKey(key.model, BACKEND, PRECISION, key.device)


def fastest(call: Callable[[], object]) -> Block:
    """Return a block that makes LONGER times the requested calls and times the fastest.

    History compares runs under different load, and the ratio of the fastest calls is robust to load: with two other processes
    on two cores it moved from 0.60 to 0.64, but the ratio of medians from 0.57 to 0.08 (text towers of 1 and 2 ms). Longer
    calls are interrupted more often. A slowdown of only some calls shows in L1's percentiles.
    """
    block = timed(call)
    return lambda calls: block(LONGER * calls)


def calls_of(encoder: Encoder, batches: Sequence[Array | Tokens], tower: Tower) -> Block:
    """Return blocks of host-to-host calls, each on the next of `batches`; encoder settings are restored first, untimed."""
    turns = cycle(batches)
    block = fastest(lambda: encoder.encode(next(turns), tower))

    def resumed(calls: int) -> float:
        encoder.restore_settings()
        return block(calls)

    return resumed


def anchor(device: str, like_s: float) -> tuple[str, Block]:
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
