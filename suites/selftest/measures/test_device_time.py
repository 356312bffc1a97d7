"""Device-only latency over a played device with a clock of its own: launches do not count, and waiting is found."""

import time
from typing import Any

import numpy as np
import pytest

from plugins.measures.latency.device_time import LONGEST_SLEEP, device_only

HERTZ = 1e9  # of the played device's clock


class Device:
    """Host time `now` and the time at which the device will have done all that is queued, in seconds."""

    def __init__(self) -> None:
        self.now = self.free = 0.0

    def queue(self, seconds: float) -> None:
        """Work that begins when the device is free."""
        self.free = max(self.now, self.free) + seconds

    def wait(self) -> None:
        """The host stands still until then."""
        self.now = max(self.now, self.free)


class Event:
    """Happens when what was queued before it is done."""

    def __init__(self, device: Device) -> None:
        self.device, self.at = device, 0.0

    def record(self) -> None:
        self.at = max(self.device.now, self.device.free)

    def query(self) -> bool:
        return self.device.now >= self.at

    def synchronize(self) -> None:
        self.device.now = max(self.device.now, self.at)

    def elapsed_time(self, end: "Event") -> float:
        return 1e3 * (end.at - self.at)


class Queued:
    """Each of `kernels` takes `launch_s` on the host and `run_s` on the device."""

    def __init__(self, device: Device, kernels: int, launch_s: float, run_s: float, waits: bool = False) -> None:
        self.device, self.kernels, self.launch_s, self.run_s, self.waits = device, kernels, launch_s, run_s, waits

    def upload(self, batch: Any, tower: str) -> Any:
        return batch

    def forward(self, batch: Any, tower: str) -> None:
        for _ in range(self.kernels):
            self.device.now += self.launch_s
            self.device.queue(self.run_s)
        if self.waits:
            self.device.wait()

    def synchronize(self) -> None:
        self.device.wait()


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    """In place of torch.cuda and of the host's clock."""
    import torch

    played = Device()
    monkeypatch.setattr(torch.cuda, "synchronize", played.wait)
    monkeypatch.setattr(torch.cuda, "Event", lambda enable_timing: Event(played))
    monkeypatch.setattr(torch.cuda, "_sleep", lambda cycles: played.queue(cycles / HERTZ))
    monkeypatch.setattr(time, "perf_counter", lambda: played.now)
    return played


def test_launches_do_not_count(device: Device) -> None:
    """300 kernels of 1 µs that take 5 µs each to launch: 0.3 ms on the device, and the host decides."""
    encoder: Any = Queued(device, 300, 5e-6, 1e-6)
    found = device_only(encoder, np.zeros((1, 3, 2, 2), np.float32), "image")
    assert found and found["p50"] == pytest.approx(0.3) and found["launch_p50"] == pytest.approx(1.5) and found["launch_bound"]


def test_a_busy_device_decides(device: Device) -> None:
    """10 kernels of 1 ms."""
    found = device_only(Queued(device, 10, 5e-6, 1e-3), np.zeros((1, 77), np.int64), "text")  # type: ignore[arg-type]
    assert found and found["p50"] == pytest.approx(10) and not found["launch_bound"] and found["n"] == 50


def test_an_encoder_that_waits_has_no_figure(device: Device) -> None:
    """However long the device sleeps; and the search for that ends."""
    assert device_only(Queued(device, 3, 5e-6, 1e-6, waits=True), np.zeros((1, 77), np.int64), "text") is None  # type: ignore[arg-type]
    assert device.now < 3 * LONGEST_SLEEP / HERTZ
