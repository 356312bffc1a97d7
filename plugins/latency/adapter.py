"""The only module that uses pytest-benchmark's internals: its session, storage and fixture."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.storage.file import FileStorage
from pytest_benchmark.utils import get_tag, safe_dumps

from fixtures.storage.atomic import write_bytes
from fixtures.storage.full_disk import writing
from fixtures.storage.locks import locked
from plugins.latency.machine import machine
from plugins.run.write_failures import noted

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture


class WholeFiles(FileStorage):  # type: ignore[misc]
    """pytest-benchmark's file storage, with atomic writes and a unique number for each run."""

    def __init__(self, storage: FileStorage, config: pytest.Config) -> None:
        super().__init__(storage.path, storage.logger, default_machine_id=storage.default_machine_id)
        self.config = config

    def save(self, output_json: Any, save: str) -> None:
        """Store a run as NUMBER_`save`.json; if the disk is full, only this file is missing and the run reports it."""
        with noted(self.config, "history"), writing("history", self.path), locked(self.get(".lock")):
            target = self.get(f"{self._next_num}_{save}.json")
            write_bytes(target, _text(output_json))
            self.logger.info(f"Saved benchmark data in: {target}")


class BenchmarkSession:
    """Wraps pytest-benchmark's session of this run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._session = config._benchmarksession  # type: ignore[attr-defined]
        self._checks: list[Any] = []

    @property
    def folder(self) -> Path:
        """The absolute path of the folder of stored runs."""
        return Path(str(self._session.storage))

    def prepare(self) -> None:
        """Replace pytest-benchmark's end of the run: use a folder for this environment and atomic writes, without its check.

        A storage that is not a folder of files stays unchanged.
        """
        session = self._session
        session.machine_id = f"{session.machine_id}-{machine()['key']}"
        session.storage.default_machine_id = session.machine_id
        if type(session.storage) is FileStorage:
            session.storage = WholeFiles(session.storage, self.config)
        session.save_json = self._save_json
        self._checks, session.compare_fail = session.compare_fail or [], None

    def _save_json(self, output_json: Any) -> None:
        with noted(self.config, "json"):
            write_bytes(Path(self._session.json), _text(output_json))
            self._session.logger.info(f"Wrote benchmark data in: {self._session.json}", purple=True)

    def load(self, glob: str) -> list[tuple[str, dict[str, Any]]]:
        """Path and contents of stored runs, by name; warns of bad files. Raises ValueError for a pattern of several folders."""
        return [(str(path), data) for path, data in self._session.storage.load(glob)]

    def show_beside(self, newest: Mapping[str, Mapping[str, Any]]) -> None:
        """Set the stored benchmarks, by file and test id, that the table compares with, and store this run."""
        self._session.compared_mapping = newest
        self._session.autosave = self._session.save or self._session.autosave or get_tag()

    def shown_beside(self, test: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The file and the stored benchmark of a test id."""
        for file, stored in self._session.compared_mapping.items():
            if test in stored:
                yield file, stored[test]

    def regressions(self, item: pytest.Function) -> Iterator[tuple[str, str]]:
        """File and finding of each --benchmark-compare-fail expression that a finished test does not meet."""
        stats = getattr(item.funcargs.get("benchmark"), "stats", None)
        for file, then in self.shown_beside(item.nodeid) if stats else ():
            for check in self._checks:
                found = check.fails(stats, then["stats"])
                if found:
                    yield file, str(found)

    def leave_out(self, broken: Callable[[Mapping[str, object]], bool]) -> None:
        """Do not store tests for whose parameters `broken` is true; write no file if no test is left."""
        for timed in self._session.benchmarks:
            timed.fixture.has_error |= broken(timed.params or {})
        if all(timed.has_error for timed in self._session.benchmarks):
            self._session.save = self._session.autosave = None


class Stopwatch:
    """Times the calls of one test for the row that pytest-benchmark shows and stores."""

    def __init__(self, benchmark: "BenchmarkFixture") -> None:
        self._benchmark = benchmark

    def __call__(self, call: Callable[[], object], rounds: int, warm_ups: int) -> NDArray[np.float64] | None:
        """Seconds of each call, float64 [rounds]; None under --benchmark-disable, where it runs once, untimed."""
        self._benchmark.pedantic(call, rounds=rounds, warmup_rounds=warm_ups)
        return np.asarray(self._benchmark.stats.stats.data) if self._benchmark.enabled else None

    def replace(self, seconds: NDArray[np.float64]) -> None:
        """Show and store these seconds, float64 [n], instead of the calls that were timed."""
        self._benchmark.stats.stats.data[:] = seconds.tolist()

    def keep(self, figures: Mapping[str, object]) -> None:
        """Store more values with the times."""
        self._benchmark.extra_info.update(figures)


@pytest.fixture
def stopwatch(benchmark: "BenchmarkFixture") -> Stopwatch:
    """The timer of this test."""
    return Stopwatch(benchmark)


def without_times(item: pytest.Function) -> None:
    """Suppress the warning of a test that ends before it times anything, because it would hide the reason."""
    benchmark: Any = item.funcargs.get("benchmark")
    if benchmark is not None:
        benchmark.skipped = True


def pytest_benchmark_generate_machine_info(config: pytest.Config) -> dict[str, Any]:
    """Replace pytest-benchmark's machine info, which has no GPU, driver or library and includes the current clock rate."""
    return machine()


def _text(output_json: Any) -> bytes:
    return bytes(safe_dumps(output_json, ensure_ascii=True, indent=4), "ascii")
