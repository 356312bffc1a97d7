"""The journal of a campaign of commands: a line for each trial, and for each cell's calibration."""

from typing import Any

from fixtures.storage.lines import Line
from suites.studies.gate_power.journal import Kept


class Journal(Kept):
    """Of trials that are commands."""

    @property
    def records(self) -> list[Line]:
        """The trials."""
        return [line for line in self.lines[1:] if "row" in line]

    @property
    def done(self) -> set[tuple[str, int]]:
        """Which trials these are: row and number."""
        return {(line["row"], line["repeat"]) for line in self.records}

    @property
    def calibrations(self) -> dict[str, Any]:
        """By cell."""
        return {line["cell"]: line["calibration"] for line in self.lines[1:] if "calibration" in line}
