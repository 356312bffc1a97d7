"""The journal of a supervised run, which the next child replays if the current one dies."""

import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from fixtures.cells import Cell, EncoderKey
from fixtures.storage.lines import Line, Lines, Tail
from plugins.cells.matrix import subject
from plugins.report.rows import RESULTS
from plugins.run.bad_input import one_sentence

# The journal's path, of a supervised child and of a worker's supervisor; a pipe that ends with the process that started it.
CHILD, WORKER, LIFE = "CLIP_CONFORMANCE_JOURNAL", "CLIP_CONFORMANCE_WORKER", "CLIP_CONFORMANCE_LIFE"
LOST_DEVICE = 75  # exit code of a child that ends because its CUDA device is lost (EX_TEMPFAIL of sysexits.h)
JOURNAL = pytest.StashKey["Journal"]()


class Journal:
    """JSON lines: {"collected": tests}, {"start": test, "about": [encoder, preprocessor]}, {"end": test, …},
    {"over": exit code}, {"blame": sentence, "test": …, …}, {"waits": "for a worker"}.

    A blame with "lost" is about a CUDA device that was lost in a test that finished.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._file = path, Lines(path, "the run's journal")
        self.reports: list[dict[str, Any]] | None = None  # of the test that is running in this child
        path.touch()
        self.begins()

    def begins(self) -> None:
        """A new child starts: earlier lines are about earlier children."""
        self._tail = Tail(self.path, self.path.stat().st_size)
        self._last: Line = {}
        self._test: Line | None = None  # the last test that it started
        self._since = time.monotonic()

    def append(self, **line: Any) -> None:
        """Write one line, at once; a full disk ends the run."""
        with one_sentence():
            self._file.append(line)

    def adopt(self, line: Line) -> None:
        """Take over what another process noted about a test: its end, or a blame."""
        self.append(**line)
        if "end" in line:
            self.done[line["end"]] = line
        else:
            self.blamed.append(line)

    @property
    def lines(self) -> list[Line]:
        """All of them."""
        return self._file.read()

    def heard(self) -> float:
        """The time when this child's last line was first read, or when the child started. Reads new lines only."""
        if lines := self._tail.new():
            self._last, self._since = lines[-1], time.monotonic()
            self._test = next((line for line in reversed(lines) if "start" in line), self._test)
        return self._since

    @property
    def alive(self) -> bool:
        """True once this child has collected its tests."""
        return bool(self._last)

    @property
    def running(self) -> bool:
        """True while a test runs, according to the lines read."""
        return "start" in self._last

    @property
    def over(self) -> int | None:
        """The exit code of a child that has written everything and only has to exit."""
        return self._last.get("over")

    @property
    def place(self) -> str:
        """The child's position in the run, as the end of a sentence."""
        if self._test is None:
            return "before its first test"
        test = self._test["start"]
        if self.over is not None:
            return f"after its last test, {test}"
        return f"in {test}" if self.running else f"after {test}"

    def blame(self, died: str) -> str | None:
        """Blame the running test, or the last one that ran; returns the sentence, or None if no test has run."""
        self.heard()
        if self._test is None:
            return None
        sentence = f"the run {died} {self.place}"
        self.append(blame=sentence, test=self._test["start"], about=self._test["about"])
        return sentence

    @cached_property
    def done(self) -> dict[str, Line]:
        """The lines of tests that ended before this child started, or in a worker, by test."""
        return {line["end"]: line for line in self.lines if "end" in line}

    @cached_property
    def blamed(self) -> list[Line]:
        """The blames from before this child started, and of workers, oldest first."""
        return [line for line in self.lines if "blame" in line]

    @property
    def losses(self) -> list[Line]:
        """The blames for a lost device."""
        return [line for line in self.blamed if "lost" in line]

    def blocked_by(self, item: pytest.Item) -> str:
        """Why this test must not run: the test or its cell killed a run; or its encoder or preprocessor did so alone or in
        two cells (in one cell, the other part may be the cause). Empty for all other tests, also after a lost device."""
        mine, abouts = names_of(item), {tuple(line["about"]) for line in self.blamed}
        for line in self.blamed:
            if "lost" in line and item.nodeid in self.done:
                continue
            theirs = tuple(line["about"])
            same = [bool(name) and name == other for name, other in zip(mine, theirs, strict=True)]
            by_itself = any(same[i] and not theirs[1 - i] for i in (0, 1))
            in_two = any(same[i] and len([about for about in abouts if about[i] == mine[i]]) > 1 for i in (0, 1))
            if line["test"] == item.nodeid or all(same) or by_itself or in_two:
                return str(line["blame"])
        return ""


def names_of(item: pytest.Item) -> tuple[str, str]:
    """The names of the encoder and the preprocessor that a test is about; empty if it is about neither."""
    about = subject(item)
    if isinstance(about, Cell):
        return str(about.encoder), about.preprocessor
    return (str(about), "") if isinstance(about, EncoderKey) else ("", about or "")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """In a supervised child: open the journal, and end if the supervisor dies."""
    path, life = os.environ.pop(CHILD, None), os.environ.pop(LIFE, None)  # pytest runs that tests start are not supervised
    if path is None or life is None:
        return
    config.stash[JOURNAL] = Journal(Path(path))
    die_with(int(life))


def settled(item: pytest.Item, journal: Journal) -> bool:
    """True if the finished test is not repeated. Latency tests are, because a stored run must be complete, unless they lost
    the device."""
    measures = "benchmark" in getattr(item, "fixturenames", ()) and not item.config.getoption("benchmark_disable")
    again = measures and all(line["test"] != item.nodeid for line in journal.losses)
    return bool(journal.blocked_by(item)) or (item.nodeid in journal.done and not again)


def die_with(pipe: int) -> None:
    """Kill this process when the other end of the pipe closes, which it does however the process that holds it ends."""

    def wait() -> None:
        os.read(pipe, 1)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Record the start and the end of a test."""
    journal = item.config.stash.get(JOURNAL, None)
    if journal is None or settled(item, journal):
        return (yield)
    about, results = str(subject(item)), item.config.stash[RESULTS]
    journal.append(start=item.nodeid, about=names_of(item))
    reports: list[dict[str, Any]] = []
    journal.reports = reports
    before = len(results.outcomes.get(about, []))
    result = yield
    journal.reports = None
    outcomes = results.outcomes.get(about, [])[before:]
    journal.append(end=item.nodeid, reports=reports, outcomes=outcomes, measures=results.measures.get(about, {}))
    return result


def pytest_collection_finish(session: pytest.Session) -> None:
    """Record that collection has finished."""
    journal = session.config.stash.get(JOURNAL, None)
    if journal is not None:
        journal.append(collected=len(session.items))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Record the exit code: a hang after this cannot change the result."""
    yield
    journal = session.config.stash.get(JOURNAL, None)
    if journal is not None:
        session.config.get_terminal_writer().flush()
        with suppress(pytest.exit.Exception):  # the full disk has ended the run with a message already
            journal.append(over=int(session.exitstatus))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record each report of the running test."""
    report = yield
    keep(item.config, report)
    return report


def keep(config: pytest.Config, report: pytest.TestReport) -> None:
    """Record an extra report of the running test for replay; does nothing in an unsupervised run."""
    journal = config.stash.get(JOURNAL, None)
    if journal is not None and journal.reports is not None:
        journal.reports.append(config.hook.pytest_report_to_serializable(config=config, report=report))
