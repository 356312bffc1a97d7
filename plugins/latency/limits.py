"""golden/latency.toml: how much slower than its history a cell may be, and how often a run may raise a false alarm."""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.errors import BadInput

FILE = ROOT / "golden" / "latency.toml"
# Lower bound open, upper closed.
NUMBERS = {"false_alarms": (0.0, 0.5), "slowdown": (0.0, 10.0), "between_runs": (0.0, 1.0), "between_starts": (0.0, 1.0)}
USUAL = {"between_starts": 0.02}  # files that were written before there was this number


@dataclass(frozen=True)
class Limits:
    """Limits as fractions: 0.05 is 5 %."""

    false_alarms: float  # of the entire run
    slowdown: float
    between_runs: float
    between_starts: float
    cells: tuple[tuple[str, float], ...] = ()  # pattern, slowdown

    def of(self, cell: str) -> float:
        """The allowed slowdown of an encoder: of the last pattern that matches its id, else the default."""
        return next((slowdown for pattern, slowdown in reversed(self.cells) if fnmatchcase(cell, pattern)), self.slowdown)


def limits_in(folder: Path) -> Limits:
    """The limits in a folder of golden data if it has any, else the repository's."""
    file = folder / FILE.name
    return load_limits(file if file.exists() else FILE)


def load_limits(file: Path = FILE) -> Limits:
    """Raises BadInput in one sentence that names the file and the entry."""
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}): it has the allowed slowdowns: restore it") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} is not TOML ({error}): fix that line") from error
    unknown = sorted(set(data) - {*NUMBERS, "cells"})
    if unknown:
        raise BadInput(f"{file}: unknown entry '{unknown[0]}', expected {', '.join(NUMBERS)} and [[cells]]")
    numbers = {name: _number(file, data, name) for name in NUMBERS}
    cells = data.get("cells", [])
    if not isinstance(cells, list):
        raise BadInput(f"{file}: 'cells' is {cells!r}, expected tables [[cells]] with pattern, slowdown and why")
    return Limits(**numbers, cells=tuple(_cell(file, entry) for entry in cells))


def _number(file: Path, data: dict[str, Any], name: str) -> float:
    value, (low, high) = data.get(name, USUAL.get(name)), NUMBERS[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low < value <= high:
        raise BadInput(f"{file}: {name} is {value!r}, expected a number above {low:g} and up to {high:g}: 0.05 is 5 %")
    return float(value)


def _cell(file: Path, entry: Any) -> tuple[str, float]:
    if not isinstance(entry, dict) or set(entry) != {"pattern", "slowdown", "why"} or not entry["pattern"] or not entry["why"]:
        raise BadInput(f"{file}: [[cells]] holds {entry!r}, expected pattern, slowdown and why, none of them empty")
    return str(entry["pattern"]), _number(file, entry, "slowdown")
