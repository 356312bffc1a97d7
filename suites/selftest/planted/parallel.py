"""A plug-in for inner runs: xdist's option, for the sentence that refuses it, where xdist itself is not installed."""

import importlib.util

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """As xdist declares it."""
    if importlib.util.find_spec("xdist") is None:
        parser.addoption("--numprocesses", type=int, default=None)
