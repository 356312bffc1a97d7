"""`--report-md FILE`: the report as Markdown for a pull request; on GitHub also the job's summary and annotations."""

import os
from collections import Counter
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

from fixtures.storage.atomic import write_text
from fixtures.storage.full_disk import writing
from plugins.cells.promises import promise
from plugins.report.form import Row
from plugins.report.layout import code, table, table_line
from plugins.report.rows import RESULTS
from plugins.report.table import HEADER, line
from plugins.run.write_failures import noted

LONGEST = 65_536  # characters that GitHub takes in a comment
ANNOTATIONS = 10  # that GitHub shows of a step
IN_TEXT = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
IN_TITLE = IN_TEXT | str.maketrans({":": "%3A", ",": "%2C"})  # these end a property such as the title, and nothing else
ON_GITHUB, SUMMARY = "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"
BROKEN = pytest.StashKey[list[tuple[str, str]]]()  # title and text of each broken promise


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --report-md."""
    parser.getgroup("clip-conformance").addoption(
        "--report-md", type=Path, metavar="FILE", help="write the report as Markdown too, for a comment on a pull request"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is broken yet."""
    config.stash[BROKEN] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record the first lines of a failure."""
    report = yield
    if report.failed:
        name = promise(item)[0] or item.name
        lines = [text.strip() for text in report.longreprtext.strip().splitlines()]
        item.config.stash[BROKEN].append((f"{name} broken" if promise(item)[0] else name, "\n".join(lines[:3])))
    return report


def page(rows: list[Row]) -> str:
    """The report: one sentence, the failing cells, then all cells, folded; in LONGEST characters, with what is left out."""
    counts = Counter(row["verdict"] for row in rows)
    failed = [row for row in rows if row["verdict"] == "fail"]
    ran = len(rows) - counts["skipped"]
    verdicts = ", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items()))
    answer = f"{len(failed)} of {ran} cells fail" if failed else f"All {ran} cells that ran keep their promises"
    text = f"### clip-conformance\n\n**{answer if ran else 'No cell ran'}** ({verdicts}).\n"
    if failed:
        text += f"\n{_fitting(('cell', 'broken', 'first reason'), map(_failure, failed), len(failed), LONGEST // 2)}"
    start, end = "\n<details><summary>All cells</summary>\n\n", "\n</details>\n"
    room = LONGEST - len(text + start + end)
    return text + start + _fitting(HEADER, map(line, rows), len(rows), room) + end


def _fitting(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], n: int, room: int) -> str:
    """A table of the first of n rows that fit into so many characters, and how many more there are."""
    text = table(head, [])
    for number, row in enumerate(rows):
        more, rest = f"{table_line(row)}\n", f"\n{n - number} more cells are in report.json.\n"
        if len(text) + len(more) + len(rest) > room:
            return text + rest
        text += more
    return text


def _failure(row: Row) -> tuple[str, str, str]:
    reason = row["reason"].replace("|", "\\|").replace("\n", " ")
    return code(row["id"]), ", ".join(row["broken_promises"]), reason[:300]


def annotation(title: str, text: str) -> str:
    """A workflow command of GitHub that shows an error beside the checks (GitHub's "Workflow commands" page)."""
    return f"::error title={title.translate(IN_TITLE)}::{text.translate(IN_TEXT)}"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the file and the job's summary if cells ran."""
    config, rows = session.config, session.config.stash[RESULTS].rows()
    if not rows:
        return
    if target := config.getoption("--report-md"):
        with noted(config, "report as Markdown"):
            write_text(target, page(rows))
    if os.environ.get(ON_GITHUB) == "true" and (summary := os.environ.get(SUMMARY)):
        what = "summary of the job"
        with noted(config, what), writing(what, Path(summary).parent), Path(summary).open("a", encoding="utf-8") as file:
            file.write(page(rows))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print one annotation for each broken promise, where GitHub reads them."""
    if os.environ.get(ON_GITHUB) == "true":
        for title, text in config.stash[BROKEN][:ANNOTATIONS]:
            terminalreporter.write_line(annotation(title, text))
