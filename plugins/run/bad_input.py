"""Ends the run with one sentence and exit code 4 on bad input."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from fixtures.errors import BadInput
from plugins.latency.adapter import without_times


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn BadInput into the end of the session."""
    try:
        yield
    except BadInput as error:
        pytest.exit(str(error), returncode=int(pytest.ExitCode.USAGE_ERROR))


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Errors of the matrix: unknown names, no cells."""
    with one_sentence():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object], request: object) -> Generator[None, object, object]:
    """Errors of what is loaded: models, data sets, golden files."""
    with one_sentence():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Errors of what is loaded during a test."""
    with one_sentence():
        try:
            return (yield)
        except BadInput:
            without_times(pyfuncitem)
            raise
