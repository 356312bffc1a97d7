"""The load of the machine by other processes, which is recorded with figures of an "idle" shared machine."""

import psutil


def busy_s() -> float:
    """Seconds of all cores together that were not idle since the machine started."""
    times = psutil.cpu_times()._asdict()
    guests = ("guest", "guest_nice")  # Linux counts them as user and nice too
    return float(sum(seconds for kind, seconds in times.items() if kind not in ("idle", "iowait", *guests)))
