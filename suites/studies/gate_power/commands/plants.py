"""What is planted: in which calls, and how much longer they take."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fixtures.capability import Tower
from suites.studies.gate_power.cell import UNITS

Units = Mapping[Tower, int]  # bytes of a unit, which is a hundredth of the tower's call


@dataclass(frozen=True)
class Plant:
    """A slowdown by its name in journals and tables; `longer` is the share by which slow calls are longer: 0.02 is 2 %."""

    name: str
    kind: str  # gate_subject.Slowdown's, and its value
    value: float
    longer: float

    def of(self, towers: tuple[Tower, ...], unit_bytes: Units) -> dict[str, dict[str, Any]]:
        """Arguments of gate_subject.Slowdown, by tower; empty for a plant of nothing."""
        count = round(UNITS * self.longer)
        what = {"kind": self.kind, "value": self.value, "units": count}
        return {tower: {**what, "unit_bytes": unit_bytes[tower]} for tower in towers} if count else {}

    def text(self, towers: tuple[Tower, ...], unit_bytes: Units) -> str:
        """That as JSON, for gate_subject.py."""
        return json.dumps(self.of(towers, unit_bytes))


def middle(percent: int) -> Plant:
    """Each call is `percent` % longer."""
    return Plant(f"{percent} %", "middle", 0, percent / 100)


def tail(one_in: int, times: int) -> Plant:
    """One call in so many, at random, takes so many times as long."""
    return Plant(f"1 in {one_in} × {times}", "tail", one_in, times - 1)


def throttle(after: int, percent: int) -> Plant:
    """From call number `after` on, each call is `percent` % longer."""
    return Plant(f"{percent} % after {after}", "throttle", after, percent / 100)


def pause(ms: int, times: int) -> Plant:
    """A call that comes after `ms` milliseconds without one takes so many times as long."""
    return Plant(f"pause {ms} ms × {times}", "pause", ms, times - 1)


NOTHING = Plant("nothing", "middle", 0, 0.0)
PLANTS = (NOTHING, middle(2), middle(5), middle(10), tail(20, 2), tail(100, 8), throttle(200, 10), pause(20, 2))
