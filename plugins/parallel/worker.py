"""In a worker: runs the tests of the groups that it can claim, and leaves everything else to the main process."""

import os
from collections.abc import Iterator, Sequence
from itertools import chain, groupby, pairwise
from pathlib import Path

import pytest

from plugins.parallel.claims import Claims
from plugins.parallel.plan import group, slow
from plugins.supervision.journal import JOURNAL, WORKER

NUMBER, CORES = "CLIP_CONFORMANCE_WORKER_NUMBER", "CLIP_CONFORMANCE_WORKER_CORES"
CLAIMS = "claims"  # the folder beside the journals
MINE = pytest.StashKey[int]()  # this worker's number


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main() -> None:
    """Keep to the cores that were given, before a library asks how many there are."""
    if cores := os.environ.get(CORES):
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})


def pytest_configure(config: pytest.Config) -> None:
    """In a worker's child: note the number. Pytest runs that tests start are no workers."""
    found = {name: os.environ.pop(name, None) for name in (WORKER, NUMBER, CORES)}
    if JOURNAL in config.stash and (number := found[NUMBER]):
        config.stash[MINE] = int(number)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """In a worker: run the claimed groups, and end without reports, which are the main process's."""
    config = session.config
    if MINE not in config.stash:
        return
    try:
        claims = Claims(Path(config.stash[JOURNAL].path).parent / CLAIMS)
        for item, after in pairwise(chain(_claimed(session.items, claims, config.stash[MINE]), [None])):
            assert item is not None
            item.ihook.pytest_runtest_protocol(item=item, nextitem=after)
            if session.shouldfail or session.shouldstop:
                break
    finally:
        config.get_terminal_writer().flush()
        os._exit(0)  # what did not run, the main process runs, and meets what ended this one


def _claimed(items: Sequence[pytest.Item], claims: Claims, number: int) -> Iterator[pytest.Item]:
    """The slowest encoders come first, so that the workers end at about the same time."""
    groups = [list(tests) for name, tests in groupby(items, group) if name]
    for tests in sorted(groups, key=lambda tests: not slow(tests[0])):
        if claims.claim(group(tests[0]), number):
            yield from tests
