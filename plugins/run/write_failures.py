"""What the end of a run could not write, because the disk was full: one sentence each, and an exit code that is not 0."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from fixtures.errors import BadInput

NOT_WRITTEN = pytest.StashKey[dict[str, str]]()  # what, and the sentence


def pytest_configure(config: pytest.Config) -> None:
    """Nothing so far."""
    config.stash[NOT_WRITTEN] = {}


@contextmanager
def noted(config: pytest.Config, what: str) -> Iterator[None]:
    """Let the rest of the run be told, although this could not be written."""
    try:
        yield
    except BadInput as error:
        config.stash[NOT_WRITTEN][what] = str(error)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """A run of which something is missing has not succeeded."""
    yield
    if session.config.stash[NOT_WRITTEN] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """After everything else, so that it is seen."""
    for sentence in config.stash[NOT_WRITTEN].values():
        terminalreporter.write_line(sentence, red=True)
