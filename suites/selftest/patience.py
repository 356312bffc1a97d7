"""How long a test waits: no test may depend on how fast the processor is, or on who else uses it."""

import functools
import subprocess
import sys
import time

HANG_S = 1200  # for what comes to its end by itself: a bound against waiting for ever, and no expectation
IMPORT_S = 0.8  # seconds that importing scipy.stats took where the seconds below were tried


def patience(seconds: float) -> float:
    """What takes less than so many seconds on a quick machine, on this one and now; never less than that."""
    return round(seconds * max(1.0, _times_slower()), 1)


@functools.cache
def _times_slower() -> float:
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import scipy.stats"], check=True, timeout=HANG_S)
    return (time.monotonic() - started) / IMPORT_S
