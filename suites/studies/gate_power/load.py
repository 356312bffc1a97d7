"""How busy the machine is besides this script: figures of an "idle" machine that others share say so."""

import os
from pathlib import Path

STAT = Path("/proc/stat")
IDLE = slice(3, 5)  # idle and iowait, among user, nice, system, idle, iowait, irq, softirq, steal


def busy_s() -> float | None:
    """Seconds of all cores together that were not idle since the machine started; None where Linux does not tell."""
    try:
        ticks = [int(field) for field in STAT.read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    return (sum(ticks) - sum(ticks[IDLE])) / os.sysconf("SC_CLK_TCK")
