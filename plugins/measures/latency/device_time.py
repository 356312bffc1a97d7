"""Device-only latency on cuda: CUDA events around the call, with input and output in device memory."""

import time

import numpy as np

from fixtures.capability import Array, Encoder, Tokens, Tower
from plugins.measures.latency.steady import Percentiles, percentiles

CALLS = 50
HOW = "device only: CUDA events around forward(), which is queued while the device is busy, so that its launches do not count"
FIRST_SLEEP, LONGEST_SLEEP = 2**20, 2**30  # cycles of the device's clock: about 1 ms to 1 s


class DeviceOnly(Percentiles):
    """Milliseconds on the device; `launch_p50` is the host's time to queue the call, where it is longer the host decides."""

    what: str
    launch_p50: float
    launch_bound: bool


def device_only(encoder: Encoder, batch: Array | Tokens, tower: Tower) -> DeviceOnly | None:
    """Percentiles in milliseconds of CALLS calls; None if forward() itself waits for the device; needs torch with CUDA.

    An idle device starts each kernel as soon as it is launched, so events around a call would measure the launches of a small
    model. The device therefore sleeps first (torch.cuda._sleep, as in torch's own benchmarks) until the whole call is queued.
    Whether it was is asked of the start event, which must not have happened when forward() returns; if it has, the sleep was
    too short or forward() waited for it, and a longer one tells which.

    The events are on torch's current stream. A backend with a stream of its own makes that stream wait for the current one and
    the current one for it, so the events hold its work.
    """
    import torch

    uploaded, cycles = encoder.upload(batch, tower), FIRST_SLEEP
    seconds, launches = list[float](), list[float]()
    while len(seconds) < CALLS:
        encoder.synchronize()
        torch.cuda.synchronize()
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(cycles)
        start.record()
        begun = time.perf_counter()
        encoder.forward(uploaded, tower)
        queued = time.perf_counter() - begun
        in_time = not start.query()
        end.record()
        end.synchronize()
        if in_time:
            seconds.append(start.elapsed_time(end) / 1e3)
            launches.append(queued)
        elif cycles < LONGEST_SLEEP:
            cycles *= 2
        else:
            return None
    figures, launch = percentiles(np.array(seconds)), float(np.median(launches)) * 1e3
    return {"what": HOW, **figures, "launch_p50": launch, "launch_bound": launch > figures["p50"]}
