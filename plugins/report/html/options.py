"""`--report-html FILE`: the report as one page that needs no network."""

from pathlib import Path
from typing import Any, cast

import pytest

from fixtures.errors import BadInput
from fixtures.storage.atomic import write_text
from plugins.cells.fixtures import subjects_of
from plugins.report.difference import Report, read
from plugins.report.html.needs import check
from plugins.report.rows import RESULTS, report_of
from plugins.run.write_failures import NOT_WRITTEN, noted

WHAT = "report as HTML"
SINCE = pytest.StashKey[Report | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --report-html and --report-since."""
    group = parser.getgroup("clip-conformance")
    group.addoption("--report-html", type=Path, metavar="FILE", help="write the report as a page too, to open in a browser")
    text = "an earlier report.json: the page of --report-html begins with what changed since"
    group.addoption("--report-since", type=Path, metavar="FILE", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Find what would make the page fail before the run takes its time; the run may overwrite the earlier report."""
    config.stash[SINCE] = None
    if config.option.report_since and not config.option.report_html:
        raise pytest.UsageError("--report-since is for the page of --report-html: add --report-html FILE")
    if config.option.report_html:
        try:
            check()
            if config.option.report_since:
                config.stash[SINCE] = read(config.option.report_since)
        except BadInput as error:
            raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the page if cells ran."""
    config, rows = session.config, session.config.stash[RESULTS].rows()
    target: Path | None = config.option.report_html
    if not rows or not target:
        return
    from plugins.report.html.page import page
    from plugins.report.html.pictures import pictures

    with noted(config, WHAT):
        found = cast("dict[str, Any]", report_of(config, rows))
        shown = pictures(subjects_of(config).dataset, found["cells"]) if "model" in found else {}
        write_text(target, page(found, config.stash[SINCE], shown))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the path of the page."""
    if config.option.report_html and config.stash[RESULTS].rows() and WHAT not in config.stash[NOT_WRITTEN]:
        terminalreporter.write_line(f"page: {config.option.report_html}")
