"""The fixtures of tests: subjects, golden data, an encoder, a preprocessor. An unavailable one is a skip or a failure."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from fixtures.capability import Encoder, Preprocessor
from fixtures.cells import EncoderKey
from plugins.cells.given_back import BuildFailed, CannotRun
from plugins.cells.pixels import CannotRead
from plugins.command_line.options import given
from plugins.golden.verified import Golden, NoBudget, load_golden
from plugins.subjects import Subjects

SUBJECTS = pytest.StashKey[Subjects]()


@contextmanager
def outcomes() -> Iterator[None]:
    """Raise a skip, or a failure without traceback; declarations do not excuse such a failure."""
    try:
        yield
    except CannotRun as reason:
        raise pytest.skip.Exception(str(reason)) from None
    except (BuildFailed, CannotRead, NoBudget) as reason:
        raise pytest.fail.Exception(str(reason), pytrace=False) from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Cover the fixtures, which use subjects too."""
    with outcomes():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """Cover the test function."""
    with outcomes():
        return (yield)


def chosen(config: pytest.Config) -> Subjects:
    """The subjects that the options choose."""
    model, pretrained, dataset, golden = map(config.getoption, ("--model", "--pretrained", "--dataset", "--golden"))
    return Subjects(model, pretrained, dataset, golden, given(config))


def subjects_of(config: pytest.Config) -> Subjects:
    """The session's subjects, also for a process that replayed all tests and has not used them yet."""
    if SUBJECTS not in config.stash:
        config.stash[SUBJECTS] = chosen(config)
    return config.stash[SUBJECTS]


@pytest.fixture(scope="session")
def subjects(pytestconfig: pytest.Config) -> Subjects:
    """The session's subjects."""
    return subjects_of(pytestconfig)


@pytest.fixture(scope="session")
def golden(subjects: Subjects) -> Golden:
    """Verified golden data of this run's model and data set."""
    return load_golden(subjects)


@pytest.fixture
def encoder(subjects: Subjects, encoder_key: EncoderKey) -> Encoder:
    """The encoder under test, warmed up; the form of its results is checked."""
    return subjects.encoder(encoder_key).formed


@pytest.fixture
def preprocessor(subjects: Subjects, preprocessor_name: str) -> Preprocessor:
    """The preprocessor under test."""
    return subjects.preprocessor(preprocessor_name)
