"""Records warnings of libraries during a build as `warnings` in the encoder's rows."""

from collections.abc import Generator

import pytest

from fixtures.cells import Cell, EncoderKey
from plugins.cells.fixtures import SUBJECTS
from plugins.cells.matrix import subject
from plugins.report.rows import RESULTS, merge


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record after each phase of a test, because a call may build too: a compiler compiles again for a new batch size."""
    report = yield
    about, subjects = subject(item), item.config.stash.get(SUBJECTS, None)
    key = about.encoder if isinstance(about, Cell) else about
    if subjects and isinstance(key, EncoderKey) and (warned := subjects.warned(key)):
        merge(item.config.stash[RESULTS].measures[str(about)], {"warnings": warned})
    return report
