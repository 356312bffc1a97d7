"""The fixture of tests on services: one service at a time, open for as long as its tests run."""

import pytest

from fixtures.cells import EncoderKey
from plugins.cells.matrix import subject
from plugins.golden.verified import Golden
from plugins.serving.answers import Answers
from plugins.subjects import Subjects

OPEN = pytest.StashKey[Answers]()


@pytest.fixture
def answers(pytestconfig: pytest.Config, subjects: Subjects, golden: Golden, service_key: EncoderKey) -> Answers:
    """The service under test and its vectors."""
    found = pytestconfig.stash.get(OPEN, None)
    if found is None or found.key != service_key:
        found = pytestconfig.stash[OPEN] = Answers(subjects, golden, service_key)
    return found


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Close a service after its last test."""
    found = item.config.stash.get(OPEN, None)
    if found and (nextitem is None or subject(nextitem) != found.key):
        del item.config.stash[OPEN]
        found.close()
