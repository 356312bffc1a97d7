"""The load of the machine by other processes, which is recorded with figures of an "idle" shared machine."""

import os
import time

import psutil


def busy_s() -> float:
    """Seconds of all cores together that were not idle since the machine started."""
    times = psutil.cpu_times()._asdict()
    guests = ("guest", "guest_nice")  # Linux counts them as user and nice too
    return float(sum(seconds for kind, seconds in times.items() if kind not in ("idle", "iowait", *guests)))


def children_s() -> float:
    """Seconds of processor time of the processes that this one has started and that have ended, and of theirs."""
    times = os.times()
    return times.children_user + times.children_system


class Load:
    """Who keeps the cores busy, from here on."""

    def __init__(self) -> None:
        self.started, self.busy, self.own = time.perf_counter(), busy_s(), _own_s()

    def cores(self, noise: float) -> dict[str, float]:
        """Cores that the neighbour (`noise` seconds of it) and others kept busy; not this process and its children."""
        wall, busy, own = time.perf_counter() - self.started, busy_s() - self.busy, _own_s() - self.own
        return {"neighbour_cores": noise / wall, "others_cores": max(0.0, busy - own - noise) / wall}


def _own_s() -> float:
    return time.process_time() + children_s()
