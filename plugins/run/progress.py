"""Shows the progress of builds on the real standard error, although pytest captures the output of tests."""

import os
import sys

from fixtures import progress


def pytest_configure() -> None:
    """Keep the real standard error before pytest captures it."""
    try:
        descriptor = os.dup(sys.stderr.fileno())
    except (OSError, ValueError):
        return  # no real one: progress goes to the captured stream
    progress.stream = os.fdopen(descriptor, "w")


def pytest_unconfigure() -> None:
    """Close it."""
    if progress.stream is not None:
        progress.stream.close()
        progress.stream = None
