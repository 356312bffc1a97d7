"""Two tests of nothing, and as a plug-in what hangs once where $HANGS says, though no test runs there."""

import os
import time
from pathlib import Path

import pytest


def test_first() -> None:
    """Passes."""


def test_second() -> None:
    """Passes."""


def _hang(where: str) -> None:
    asked, _, path = os.environ["HANGS"].partition(":")
    if asked == where and not Path(path).exists():
        Path(path).touch()
        time.sleep(600)


def pytest_collection_modifyitems() -> None:
    """Before the first."""
    _hang("collection")


def pytest_runtest_logfinish(nodeid: str) -> None:
    """When the first has ended, and its reports are made."""
    _hang(nodeid.rpartition("::")[2])


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """After the last, before anything is written."""
    _hang("finish")


def pytest_unconfigure() -> None:
    """When all is written."""
    _hang("end")
