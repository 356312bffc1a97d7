"""The load of the machine by other processes, which is recorded with figures of an "idle" shared machine."""

import os

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
