"""Lets builds say how far they are on the real standard error, although pytest captures what tests write."""

import os
import sys

from fixtures.backends import _progress


def pytest_configure() -> None:
    """Keep standard error as it is before the first test is captured."""
    try:
        descriptor = os.dup(sys.stderr.fileno())
    except (OSError, ValueError):
        return  # there is none to keep: progress goes where tests write
    _progress.stream = os.fdopen(descriptor, "w")


def pytest_unconfigure() -> None:
    """Give it back."""
    if _progress.stream is not None:
        _progress.stream.close()
        _progress.stream = None
