"""In the main process: starts workers, replays each test that one of them has finished, and runs the other tests afterwards."""

from collections.abc import Generator

import pytest

from plugins.cells.matrix import subject
from plugins.parallel.plan import group, number
from plugins.parallel.worker import MINE
from plugins.parallel.workers import Workers
from plugins.report.rows import RESULTS
from plugins.supervision.journal import JOURNAL, settled

COUNT, WORKERS = pytest.StashKey[int](), pytest.StashKey[Workers]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, None, None]:
    """If workers are worth while, put their tests first, here and in them, once all others have put the tests in order."""
    yield
    if JOURNAL in config.stash and MINE not in config.stash:
        config.stash[COUNT] = number(config, items)
    if config.stash.get(COUNT, 0) > 1 or MINE in config.stash:
        config.stash[RESULTS].order = [str(subject(item)) for item in items]
        items.sort(key=lambda item: not group(item))


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> str | None:
    """Print the plan."""
    count = config.stash.get(COUNT, 0)
    if count < 2:
        return None
    encoders = {group(item) for item in items if group(item) and not isinstance(subject(item), str)}
    alone = sum(not group(item) for item in items)
    return (
        f"plan: {count} parallel workers compare {len(encoders)} encoders beside each other, each on cores of its own; "
        f"then {alone} tests run alone, those that are timed among them (--workers=1: all of them do)"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Start the workers, and leave none."""
    config = session.config
    if config.stash.get(COUNT, 0) < 2:
        return (yield)
    config.stash[WORKERS] = Workers(config, config.stash[JOURNAL], config.stash[COUNT])
    try:
        return (yield)
    finally:
        config.stash[WORKERS].kill()


@pytest.hookimpl(wrapper=True, tryfirst=True)  # registered after the journal, which then sees what a worker has finished
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait until a worker has finished this test; before the first test that no worker runs, until all workers have ended."""
    workers, journal = item.config.stash.get(WORKERS, None), item.config.stash.get(JOURNAL, None)
    if workers and journal:
        if name := group(item):
            workers.wait(name, lambda: settled(item, journal))
        else:
            workers.end()
    return (yield)
