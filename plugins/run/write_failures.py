"""Files that the end of a run could not write because the disk was full: one sentence each, and a non-zero exit code."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from fixtures.errors import BadInput

NOT_WRITTEN = pytest.StashKey[dict[str, str]]()  # what, and the sentence


def pytest_configure(config: pytest.Config) -> None:
    """Start with no failures."""
    config.stash[NOT_WRITTEN] = {}


@contextmanager
def noted(config: pytest.Config, what: str) -> Iterator[None]:
    """Record a failed write and let the run continue."""
    try:
        yield
    except BadInput as error:
        config.stash[NOT_WRITTEN][what] = str(error)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Set a non-zero exit code if a file is missing."""
    yield
    if session.config.stash[NOT_WRITTEN] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the failures last, where they are noticed."""
    for sentence in config.stash[NOT_WRITTEN].values():
        terminalreporter.write_line(sentence, red=True)
