"""Reports what a cell left behind: in the promise's own test or, if that is not selected, as a failure of the current test."""

from collections.abc import Generator
from typing import Any

import pytest

from fixtures.registry import preprocessors
from plugins.cells.fixtures import SUBJECTS
from plugins.cells.matrix import encoder_of, subject
from plugins.cells.promises import promise, reproduce
from plugins.process.left_behind import LeftBehind, Owner, watch
from plugins.report.rows import RESULTS
from plugins.supervision.journal import keep

PROMISES = ("E12", "P12")
LAST = ("E15", *PROMISES)  # E15 gives an encoder bad inputs, which may harm it for good


@pytest.fixture
def left_behind() -> LeftBehind:
    """All findings so far."""
    return watch()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests last of an encoder's, or of the preprocessors'; the matrix keeps the order within each encoder."""
    items.sort(key=lambda item: LAST.index(name) + 1 if (name := promise(item)[0]) in LAST else 0)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note which owners have a test of their own; unknown under xdist, whose workers get their tests later."""
    items = [] if hasattr(session.config, "workerinput") else session.items
    owners = {subject(item) for item in items if promise(item)[0] in PROMISES}
    watch().to_come = {owner for owner in owners if owner is not None}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Attribute changes during a test to its subject; the last test of an encoder frees it."""
    about, found = subject(item), watch()
    if about is None:
        return (yield)
    found.during = item.name
    with found.done_by(about):
        result = yield
    subjects = item.config.stash.get(SUBJECTS, None)
    if subjects is not None and encoder_of(item) != encoder_of(nextitem):
        subjects.end()
    if promise(item)[0] in PROMISES:
        found.to_come.discard(about)
    for owner in dict.fromkeys(owner for owner, _ in found.unreported):
        if owner not in found.to_come:
            things = [thing for who, thing in found.unreported if who == owner]
            _tell(item, owner, [found.found[owner][thing] for thing in things])
            found.take_findings(owner)
    return result


def _tell(item: pytest.Item, owner: Owner, found: list[str]) -> None:
    """Add a report to this test, as if its teardown had failed."""
    name = "P12" if isinstance(owner, str) else "E12"
    declared = preprocessors()[owner].failures(False) if isinstance(owner, str) else owner.known_failures()
    if name in declared:
        return
    said = "\n".join([f"{name} broken: {'; '.join(found)}", f"in {owner}", f"again: {reproduce(item)}"])
    keywords: Any = dict.fromkeys(item.keywords, 1)
    more: Any = {"user_properties": item.user_properties}
    report = pytest.TestReport(item.nodeid, item.location, keywords, "failed", said, "teardown", **more)
    results = item.config.stash[RESULTS]
    if not isinstance(owner, str):
        results.note(owner)
    results.outcomes[str(owner)].append((name, "failed", said.splitlines()[0]))
    keep(item.config, report)
    item.ihook.pytest_runtest_logreport(report=report)
