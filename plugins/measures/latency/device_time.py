"""Device-only latency on cuda: CUDA events around the call, nothing but device memory on both sides."""

import numpy as np

from fixtures.capability import Array, Encoder, Tokens, Tower
from plugins.measures.latency.steady import Percentiles, percentiles

CALLS = 50
HOW = "device only: CUDA events around forward(), input and output in device memory"


class DeviceOnly(Percentiles):
    """Milliseconds on the device, and how they were measured."""

    what: str


def device_only(encoder: Encoder, batch: Array | Tokens, tower: Tower) -> DeviceOnly:
    """Percentiles in milliseconds of CALLS calls, the device idle before each; needs torch with CUDA.

    The events are on torch's current stream. A backend with a stream of its own waits for it before forward() returns, so
    the events then hold its launches too: never less than the device's time.
    """
    import torch

    uploaded = encoder.upload(batch, tower)
    seconds = []
    for _ in range(CALLS):
        encoder.synchronize()
        torch.cuda.synchronize()
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        encoder.forward(uploaded, tower)
        end.record()
        end.synchronize()
        seconds.append(start.elapsed_time(end) / 1e3)
    return {"what": HOW, **percentiles(np.array(seconds))}
