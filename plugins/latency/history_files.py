"""Stored runs are written whole or not at all, each under a number of its own, also by two runs at once."""

from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.storage.file import FileStorage
from pytest_benchmark.utils import safe_dumps

from fixtures.storage.atomic import write_bytes
from fixtures.storage.full_disk import writing
from fixtures.storage.locks import locked
from plugins.run.write_failures import noted


class WholeFiles(FileStorage):  # type: ignore[misc]
    """pytest-benchmark's own storage of files, but for how one is written."""

    def __init__(self, storage: FileStorage, config: pytest.Config) -> None:
        super().__init__(storage.path, storage.logger, default_machine_id=storage.default_machine_id)
        self.config = config

    def save(self, output_json: Any, save: str) -> None:
        """Store a run as NUMBER_`save`.json; a full disk costs this file, and the rest of the run is told."""
        with noted(self.config, "history"), writing("history", self.path), locked(self.get(".lock")):
            target = self.get(f"{self._next_num}_{save}.json")
            write_bytes(target, _text(output_json))
            self.logger.info(f"Saved benchmark data in: {target}")


def _text(output_json: Any) -> bytes:
    return bytes(safe_dumps(output_json, ensure_ascii=True, indent=4), "ascii")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Before anything is read from the storage; one that is no folder of files is left as it is."""
    benchmarks = session.config._benchmarksession  # type: ignore[attr-defined]
    if type(benchmarks.storage) is FileStorage:
        benchmarks.storage = WholeFiles(benchmarks.storage, session.config)

    def save_json(output_json: Any) -> None:
        with noted(session.config, "json"):
            write_bytes(Path(benchmarks.json), _text(output_json))
            benchmarks.logger.info(f"Wrote benchmark data in: {benchmarks.json}", purple=True)

    benchmarks.save_json = save_json
