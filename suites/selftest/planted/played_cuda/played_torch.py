"""torch with a CUDA device whose memory and arithmetic are the CPU's, and whose clock is the host's."""

import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any

from suites.selftest.planted.played_cuda import NAME

FACTORIES = ("arange", "as_tensor", "empty", "eye", "full", "linspace", "ones", "rand", "randint", "randn", "tensor", "zeros")
MEMORY = 80 * 2**30  # bytes


def _here(value: Any) -> Any:
    """What names the device names the CPU instead."""
    return "cpu" if type(value).__name__ in ("str", "device") and str(value).startswith("cuda") else value


def moved(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with every device that it is given on the CPU."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*map(_here, args), **{name: _here(value) for name, value in kwargs.items()})

    return call


class Clock:
    """The device's queue: it is busy until `ends`, in seconds of the host's clock."""

    ends = 0.0


class Event:
    """Marks a place in the queue. Work is done when it is queued, so the time between two marks is the host's."""

    def __init__(self, enable_timing: bool = False) -> None:
        self.at = self.happens = float("inf")

    def record(self, stream: object = None) -> None:
        """Behind all that is queued."""
        self.at = time.perf_counter()
        self.happens = max(self.at, Clock.ends)

    def query(self) -> bool:
        """True once the queue has come so far."""
        return time.perf_counter() >= self.happens

    def synchronize(self) -> None:
        """Until then."""
        time.sleep(max(0.0, self.happens - time.perf_counter()))

    def elapsed_time(self, end: "Event") -> float:
        """Milliseconds."""
        return 1e3 * (end.at - self.at)


class Stream:
    """One queue for all streams."""

    cuda_stream = 0

    def wait_stream(self, other: "Stream") -> None:
        """It does: there is one queue."""

    def synchronize(self) -> None:
        """Until it is empty."""
        _synchronize()


def _synchronize(device: object = None) -> None:
    time.sleep(max(0.0, Clock.ends - time.perf_counter()))


def _sleep(cycles: int) -> None:
    Clock.ends = max(Clock.ends, time.perf_counter()) + cycles / 1e9


def _for_us(answer: Any, otherwise: Any) -> Callable[..., Any]:
    """A function that says there is a device; to torch's own code, whose CUDA calls are not played, it says there is none."""

    def ask(*args: Any) -> Any:
        return otherwise if sys._getframe(1).f_globals.get("__name__", "").startswith("torch") else answer

    return ask


def play(torch: Any) -> None:
    """There is a device, and whatever is sent to it stays."""
    for name in FACTORIES:
        setattr(torch, name, moved(getattr(torch, name)))
    for owner in (torch.Tensor, torch.nn.Module):
        owner.to = moved(owner.to)
        owner.cuda = lambda self, *args, **kwargs: self
    torch.autocast.__init__ = moved(torch.autocast.__init__)
    torch.load = moved(torch.load)
    gpu = torch.cuda
    gpu.is_available, gpu.is_initialized, gpu.device_count = _for_us(True, False), _for_us(True, False), _for_us(1, 0)
    gpu.current_device = lambda: 0
    gpu.get_device_name = lambda device=None: NAME
    gpu.get_device_capability = lambda device=None: (9, 0)
    gpu.mem_get_info = lambda device=None: (MEMORY // 2, MEMORY)
    for name in ("memory_reserved", "memory_allocated", "max_memory_allocated"):
        setattr(gpu, name, lambda device=None: 0)
    gpu.empty_cache = gpu.reset_peak_memory_stats = lambda *args: None
    gpu.synchronize, gpu._sleep = _synchronize, _sleep
    gpu.Event, gpu.Stream, gpu.current_stream, gpu.stream = Event, Stream, lambda device=None: Stream(), nullcontext
