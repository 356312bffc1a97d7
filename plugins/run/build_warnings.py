"""Records warnings of libraries during a build as `warnings` in the encoder's rows."""

from collections.abc import Generator

import pytest

from plugins.cells.fixtures import SUBJECTS
from plugins.cells.matrix import encoder_of, subject
from plugins.report.rows import RESULTS, merge


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record after each phase of a test, because a call may build too: a compiler compiles again for a new batch size."""
    report = yield
    key, subjects = encoder_of(item), item.config.stash.get(SUBJECTS, None)
    if subjects and key and (warned := subjects.warned(key)):
        merge(item.config.stash[RESULTS].measures[str(subject(item))], {"warnings": warned})
    return report
