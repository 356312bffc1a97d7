"""After a child died: a new child replays finished results, and fails the cell that crashed with the cause."""

from typing import Any

import pytest

from plugins.cells.matrix import subject
from plugins.cells.promises import reproduce
from plugins.report.rows import RESULTS, merge
from plugins.supervision.journal import JOURNAL, Journal, settled


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Replay a test that is settled; True ends its protocol."""
    journal = item.config.stash.get(JOURNAL, None)
    if journal is None or not settled(item, journal):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in [_failure(item, journal)] if journal.blocked_by(item) else _restored(item, journal.done[item.nodeid]):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    item.session._setupstate.teardown_exact(nextitem)  # of the last test that ran: a replayed one needs no setup
    return True


def _failure(item: pytest.Item, journal: Journal) -> pytest.TestReport:
    about = subject(item)
    lines = (journal.blocked_by(item), *([f"in {about}"] if about else []), f"again: {reproduce(item)}")
    call = pytest.CallInfo.from_call(lambda: pytest.fail("\n".join(lines), pytrace=False), when="call")
    report: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
    return report


def _restored(item: pytest.Item, line: dict[str, Any]) -> list[pytest.TestReport]:
    results, about, hook = item.config.stash[RESULTS], subject(item), item.config.hook
    if about is not None:
        results.note(about)
        results.outcomes[str(about)] += [tuple(outcome) for outcome in line["outcomes"]]
        merge(results.measures[str(about)], line["measures"])
    return [hook.pytest_report_from_serializable(config=item.config, data=data) for data in line["reports"]]
