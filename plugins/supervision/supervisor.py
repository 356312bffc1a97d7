"""Runs pytest in a child process: a test that crashes, hangs or uses up the memory fails its own cell, and the run continues.

The child measures in its own process, so supervision does not affect latency. When it dies, a new child replays finished
results from the journal (plugins/supervision/journal.py), fails the cell that crashed with the cause, and continues.
"""

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plugins.supervision.journal import CHILD, LIFE, LOST_DEVICE, WORKER, Journal, die_with

if TYPE_CHECKING:
    import psutil

LIMIT_S, GIB = 900.0, 2**30
START_S = 120.0  # minimum for imports and collection, for short limits on a busy machine
POLL_S = 1.0
ALONE = (
    "collectonly",
    "usepdb",
    "trace",
    "showfixtures",
    "show_fixtures_per_test",
    "setupplan",
    "setuponly",
    "help",
    "version",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The limits of one test: time and memory."""
    group = parser.getgroup("clip-conformance")
    group.addoption("--unsupervised", action="store_true", help="run in this process: a cell that crashes ends the run")
    text = "longest time of one test, and between and after tests; beyond it the cell fails [%(default)s s]"
    group.addoption("--test-limit", type=float, default=LIMIT_S, metavar="S", help=text)
    text = "memory of the run; a cell that exceeds it fails [0.9 of what is free at the start]"
    group.addoption("--memory-limit", type=float, metavar="GIB", help=text)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Run child processes until one finishes; None if pytest is to run in this process."""
    for name in ("--test-limit", "--memory-limit"):
        if (config.getoption(name) or 1.0) <= 0:
            raise pytest.UsageError(f"{name} is {config.getoption(name):g}, expected more than 0")
    if not _wanted(config):
        return None
    with _journal() as journal:
        while True:
            losses = len(Journal(journal.path).losses)
            died = _Run(config, journal).to_its_end()
            lost = Journal(journal.path).losses[losses:]
            if died == LOST_DEVICE and lost:
                print(f"\n{lost[-1]['blame']}: the other cells continue in a fresh process\n", file=sys.stderr, flush=True)
                continue
            if isinstance(died, int):
                return died
            blame = journal.blame(died)
            if blame is None:
                print(f"\nthe run {died} {journal.place}, so there is no cell to blame", file=sys.stderr)
                return int(pytest.ExitCode.INTERNAL_ERROR)
            if journal.over is not None:
                print(f"\n{blame}: its results are printed above", file=sys.stderr, flush=True)
                return journal.over or int(pytest.ExitCode.TESTS_FAILED)
            print(f"\n{blame}: its cell fails, the others continue\n", file=sys.stderr, flush=True)


@contextmanager
def _journal() -> Iterator[Journal]:
    """A journal in a folder of its own; a worker's supervisor is given one, and ends with the process that gave it."""
    if worker := os.environ.get(WORKER):
        die_with(int(os.environ[LIFE]))
        yield Journal(Path(worker))
        return
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as folder:
        yield Journal(Path(folder) / "journal.jsonl")


def command(config: pytest.Config) -> list[str]:
    """The command that starts this run once more."""
    script = Path(sys.argv[0])
    started = [str(script)] if script.name in ("pytest", "py.test") and script.is_file() else ["-m", "pytest"]
    return [sys.executable, *started, *map(str, config.invocation_params.args)]


def memory_limit(config: pytest.Config) -> float:
    """How much memory the run may use, in GiB."""
    import psutil

    return float(config.getoption("--memory-limit") or 0.9 * psutil.virtual_memory().available / GIB)


def _wanted(config: pytest.Config) -> bool:
    option = config.option
    if os.name != "posix" or CHILD in os.environ or option.unsupervised or config.invocation_params.plugins:
        return False
    if hasattr(config, "workerinput") or getattr(option, "numprocesses", None) or getattr(option, "tx", None):
        return False  # xdist replaces dead workers itself
    return not any(getattr(option, name, False) for name in (*ALONE, "promises", "environment", "update_golden"))


class _Run:
    """One child process, from start to end."""

    def __init__(self, config: pytest.Config, journal: Journal) -> None:
        self.journal = journal
        self.limit_s = float(config.getoption("--test-limit")) + (config.getoption("--soak") or 0.0)
        journal.begins()
        self.limit_bytes = memory_limit(config) * GIB
        # Two pipes that carry no data: each side notices when the other one ends, for whatever reason.
        theirs, self.life = os.pipe()
        self.death, held = os.pipe()
        environment = {**os.environ, CHILD: str(journal.path), LIFE: str(theirs)}
        # The child has its own process group, or Ctrl-C would reach it twice; so it must not read from the terminal.
        reading = signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        self.process = subprocess.Popen(
            command(config),
            cwd=config.invocation_params.dir,
            env=environment,
            pass_fds=[theirs, held],
            process_group=0,
        )
        signal.signal(signal.SIGTTIN, reading)
        os.close(theirs)
        os.close(held)

    def to_its_end(self) -> int | str:
        """The exit code, or the cause of death as the end of a sentence that begins with "the run"."""
        heard = {number: signal.signal(number, self._pass_on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            return self._watch()
        finally:
            self._kill()
            os.close(self.life)
            os.close(self.death)
            for number, handler in heard.items():
                signal.signal(number, handler)

    def _watch(self) -> int | str:
        while (code := self.process.poll()) is None:
            trouble = self._too_long() or self._too_much()
            if trouble:
                return trouble
            select.select([self.death], [], [], POLL_S)
        if code >= 0 or code == -signal.SIGTERM:
            return code if code >= 0 else 128 - code
        memory = ", which the kernel sends when memory runs out" if code == -signal.SIGKILL else ""
        return f"died of {signal.Signals(-code).name}{memory}"

    def _too_long(self) -> str:
        since = self.journal.heard()
        limit = self.limit_s if self.journal.alive else max(self.limit_s, START_S)
        return f"hung for {limit:g} s (--test-limit)" if time.monotonic() - since > limit else ""

    def _too_much(self) -> str:
        import psutil

        used = 0
        for process in self._family():
            with suppress(psutil.NoSuchProcess):
                used += process.memory_info().rss
        if used <= self.limit_bytes or not self.journal.running:
            return ""
        return f"grew to {used / GIB:.1f} GiB, {self.limit_bytes / GIB:.1f} are allowed (--memory-limit)"

    def _family(self) -> "list[psutil.Process]":
        import psutil

        try:
            child = psutil.Process(self.process.pid)
            return [child, *child.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _kill(self) -> None:
        import psutil

        for process in self._family() if self.process.poll() is None else []:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def _pass_on(self, number: int, frame: object) -> None:
        self.process.send_signal(signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)
