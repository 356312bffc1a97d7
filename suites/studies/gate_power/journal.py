"""The journal of a run, one line for each measurement, from which an interrupted run continues."""

import json
from pathlib import Path
from typing import Any

from fixtures.errors import BadInput
from fixtures.storage.lines import Line, Lines
from suites.studies.gate_power.trial import Trial


class Kept:
    """A file whose first line says what the rest was measured with."""

    def __init__(self, path: Path, settings: Line) -> None:
        """Raises BadInput if the file there was made with other settings: figures of two kinds must not mix."""
        self._file, settings = Lines(path), json.loads(json.dumps(settings))
        self.lines = self._file.read()
        if self.lines and self.lines[0] != settings:
            different = sorted(key for key in {*settings, *self.lines[0]} if settings.get(key) != self.lines[0].get(key))
            raise BadInput(
                f"{path} was begun with another {' and '.join(different)}, expected the same as now: "
                f"run with the options it was begun with, or remove it"
            )
        if not self.lines:
            self.append(settings)

    def append(self, line: Line) -> None:
        """Write one line, at once."""
        self.lines.append(line)
        self._file.append(line)

    def named(self, name: str) -> Any:
        """What was kept under a name, or None."""
        return next((line[name] for line in self.lines[1:] if name in line), None)


class Journal(Kept):
    """Of trials in one process."""

    @property
    def records(self) -> list[Line]:
        """The trials."""
        return [line for line in self.lines[1:] if "methods" in line]

    @property
    def done(self) -> set[Trial]:
        """Which trials these are."""
        return {Trial(line["condition"], line["percent"], line["repeat"]) for line in self.records}
