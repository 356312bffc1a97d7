"""Suites that are collected only where an option asks for them, and in the list of all promises."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.errors import BadInput


@dataclass(frozen=True)
class OnRequest:
    """A suite, whether a run asks for it, and what somebody is told who names it without asking."""

    suite: str  # a folder or a file
    asked: Callable[[pytest.Config], bool]
    missing: str  # goes on after the suite's name


SUITES = pytest.StashKey[list[OnRequest]]()


def on_request(config: pytest.Config, suite: str, asked: Callable[[pytest.Config], bool], missing: str) -> None:
    """Make a suite one of these; see OnRequest."""
    config.stash.setdefault(SUITES, []).append(OnRequest(suite, asked, missing))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what nobody asks for."""
    return True if any(collection_path == config.rootpath / each.suite for each in _not_asked(config)) else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """End the run if a suite is named that nobody asks for."""
    for each in _not_asked(config):
        if any(item.path.is_relative_to(config.rootpath / each.suite) for item in items):
            raise BadInput(f"{each.suite} {each.missing}")


def _not_asked(config: pytest.Config) -> list[OnRequest]:
    return [] if config.getoption("--promises") else [each for each in config.stash.get(SUITES, []) if not each.asked(config)]
