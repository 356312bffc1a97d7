"""How busy the machine is besides this script: figures of an "idle" machine that others share say so."""

import psutil


def busy_s() -> float:
    """Seconds of all cores together that were not idle since the machine started."""
    times = psutil.cpu_times()._asdict()
    guests = ("guest", "guest_nice")  # Linux counts them as user and nice too
    return float(sum(seconds for kind, seconds in times.items() if kind not in ("idle", "iowait", *guests)))
