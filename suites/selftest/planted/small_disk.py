"""A plug-in for inner runs: no file may grow beyond FILE_BYTES, which for whoever writes is a disk that is full."""

import os
import resource


def pytest_configure() -> None:
    """Python ignores the signal of this limit, so that writing raises OSError."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.environ["FILE_BYTES"]), resource.RLIM_INFINITY))
