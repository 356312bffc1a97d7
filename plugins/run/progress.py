"""Lets builds say how far they are on the real standard error, although pytest captures what tests write."""

import os
import sys

from fixtures import progress


def pytest_configure() -> None:
    """Keep standard error as it is before the first test is captured."""
    try:
        descriptor = os.dup(sys.stderr.fileno())
    except (OSError, ValueError):
        return  # there is none to keep: progress goes where tests write
    progress.stream = os.fdopen(descriptor, "w")


def pytest_unconfigure() -> None:
    """Give it back."""
    if progress.stream is not None:
        progress.stream.close()
        progress.stream = None
