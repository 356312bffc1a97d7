"""What a run has measured so far, a line each: an interrupted run goes on where it was."""

import json
from pathlib import Path
from typing import Any

from fixtures.errors import BadInput
from suites.studies.gate_power.trial import Trial

Line = dict[str, Any]


class Journal:
    """A file whose first line says what the rest was measured with; a line that was cut off by a kill is dropped."""

    def __init__(self, path: Path, settings: Line) -> None:
        """Raises BadInput if the file there was made with other settings: figures of two kinds must not mix."""
        self.path, settings = path, json.loads(json.dumps(settings))
        self.lines = _whole_lines(path)
        if self.lines and self.lines[0] != settings:
            different = sorted(key for key in {*settings, *self.lines[0]} if settings.get(key) != self.lines[0].get(key))
            raise BadInput(
                f"{path} was begun with another {' and '.join(different)}, expected the same as now: "
                f"run with the options it was begun with, or remove it"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in self.lines or [settings]), encoding="utf-8")
        self.lines = self.lines or [settings]

    def append(self, line: Line) -> None:
        """Write one line, at once."""
        self.lines.append(line)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def named(self, name: str) -> Any:
        """What was kept under a name, or None."""
        return next((line[name] for line in self.lines[1:] if name in line), None)

    @property
    def records(self) -> list[Line]:
        """The trials."""
        return [line for line in self.lines[1:] if "methods" in line]

    @property
    def done(self) -> set[Trial]:
        """Which trials these are."""
        return {Trial(line["condition"], line["percent"], line["repeat"]) for line in self.records}


def _whole_lines(path: Path) -> list[Line]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
