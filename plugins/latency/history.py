"""Stored runs, read cell by cell: the time of each cell's tower relative to the reference, when, and on which machine."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fixtures.errors import BadInput
from plugins.latency.adapter import BenchmarkSession
from plugins.latency.machine import machine
from plugins.measures.latency.level import Sides
from plugins.measures.latency.starts import DecisionByStarts

FIELD = "vs_reference"  # of a stored benchmark's extra_info
SLOW = "slow_calls"  # in it: both sides' counts; runs that were stored before they were counted have none
STARTING = "starting"  # in it: what each process took to start, likewise
ANY_MACHINE = "*/[0-9][0-9][0-9][0-9]_"
# Verdicts that may be baselines. An inconclusive run is not, or a slow drift would stay hidden. But an inconclusive run that
# narrows its baseline's interval is "refined" and replaces it, or a noisy first run would stay the baseline for ever.
JUDGED_GOOD = ("pass", "recorded", "refined")


def stored_form(cell: str, tower: str, reference: str, decision: DecisionByStarts, verdict: str) -> dict[str, Any]:
    """The form of a comparison in extra_info: the seconds of each start's blocks, and the level that they give."""
    found = decision.found.interval(0.95)
    return {
        "cell": cell,
        "tower": tower,
        "reference": reference,
        "verdict": verdict,
        "ratio": found.ratio,
        "low": found.low,
        "high": found.high,
        "confidence": 0.95,
        "n": found.n,
        "reference_s": decision.usual_s[1],
        "starts": [[[round(seconds, 8) for seconds in side] for side in start.blocks] for start in decision.starts],
    }


@dataclass(frozen=True)
class Stored:
    """One tower of one cell in one stored run."""

    file: str
    when: str  # ISO 8601
    machine: Mapping[str, Any]
    commit: str
    found: Mapping[str, Any]  # the result of stored_form

    @property
    def name(self) -> tuple[str, str, str]:
        """Cell, tower and reference, which must be equal in two runs that are compared."""
        return self.found["cell"], self.found["tower"], self.found["reference"]

    @property
    def starts(self) -> list[Sides]:
        """The seconds of each start's blocks, ours and the reference's."""
        return [(ours, other) for ours, other in self.found["starts"]]


class History:
    """All stored runs under --benchmark-storage, oldest first; `wanted` is --benchmark-compare's value, if it has one."""

    def __init__(self, benchmarks: BenchmarkSession, wanted: str | None = None) -> None:
        self.benchmarks, self.wanted = benchmarks, wanted
        self.unread: list[str] = []  # unreadable files, each with the reason

    @cached_property
    def runs(self) -> list[tuple[str, dict[str, Any]]]:
        """Path and contents of every readable run."""
        return self._load(ANY_MACHINE)

    @cached_property
    def stored(self) -> list[Stored]:
        """Every tower of every cell of every run, oldest first."""
        return list(self._entries(self.runs))

    @cached_property
    def candidates(self) -> list[Stored]:
        """The candidates for baselines: this machine's good runs, or all of the named runs."""
        if self.wanted is None:
            return [s for s in self.stored if s.machine == machine() and s.found["verdict"] in JUDGED_GOOD]
        found = list(self._entries(self._load(self.wanted)))
        if not found:
            known = ", ".join(sorted({path for path, _ in self.runs})[-5:]) or "none"
            raise BadInput(
                f"--benchmark-compare={self.wanted}: no stored run of that name holds a latency ratio "
                f"in {self.benchmarks.folder}, stored are: {known}; "
                "without a value each cell's newest run is taken (paths of tests go before the option)"
            )
        return found

    def baseline(self, name: tuple[str, str, str]) -> Stored | None:
        """The newest candidate that has the cell."""
        return next((s for s in reversed(self.candidates) if s.name == name), None)

    def elsewhere(self, name: tuple[str, str, str]) -> Stored | None:
        """The newest run of another machine or environment that has the cell."""
        return next((s for s in reversed(self.stored) if s.name == name and s.machine != machine()), None)

    def ratios(self, name: tuple[str, str, str]) -> list[Stored]:
        """This machine's runs of a cell, oldest first."""
        return [s for s in self.stored if s.name == name and s.machine == machine()]

    def newest_benchmarks(self) -> dict[str, dict[str, Any]]:
        """By file: this machine's newest stored benchmark of each test id, for pytest-benchmark's own table."""
        newest: dict[str, tuple[str, Any]] = {}
        runs = self.runs if self.wanted is None else self._load(self.wanted)
        for path, data in runs:
            if self.wanted is not None or data.get("machine_info") == machine():
                newest |= {bench["fullname"]: (path, bench) for bench in data["benchmarks"]}
        files: dict[str, dict[str, Any]] = {}
        for fullname, (path, bench) in newest.items():
            files.setdefault(path, {})[fullname] = bench
        return files

    def _load(self, glob: str) -> list[tuple[str, dict[str, Any]]]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                runs = self.benchmarks.load(glob)
            except ValueError as error:
                raise BadInput(f"--benchmark-compare={glob}: {error}") from error
        self.unread = sorted({*self.unread, *(str(warning.message) for warning in caught)})
        return sorted(runs, key=lambda run: str(run[1].get("datetime", "")))

    def _entries(self, runs: list[tuple[str, dict[str, Any]]]) -> Iterator[Stored]:
        for path, data in runs:
            for bench in data["benchmarks"]:
                found = bench.get("extra_info", {}).get(FIELD)
                if found is not None and not _whole(found):
                    self.unread.append(
                        f"{path}: {FIELD} of {bench.get('fullname')} is not what this version stores; it is not compared"
                    )
                elif found is not None:
                    commit = str(data.get("commit_info", {}).get("id", "unknown"))[:12]
                    yield Stored(path, str(data.get("datetime", "unknown")), data.get("machine_info", {}), commit, found)


def _seconds(side: Any) -> bool:
    """True for the times of one or more blocks."""
    return isinstance(side, list) and len(side) > 0 and all(isinstance(value, float) and value > 0 for value in side)


def _whole(found: Any) -> bool:
    """True if the value has the form that stored_form writes."""
    texts, numbers = ("cell", "tower", "reference", "verdict"), ("ratio", "low", "high", "reference_s")
    return (
        isinstance(found, dict)
        and all(isinstance(found.get(name), str) for name in texts)
        and all(isinstance(found.get(name), float) and found[name] > 0 for name in numbers)
        and isinstance(starts := found.get("starts"), list)
        and len(starts) > 0
        and all(isinstance(start, list) and len(start) == 2 and all(map(_seconds, start)) for start in starts)
        and all(isinstance(found.get(name, {}), dict) for name in (SLOW, STARTING))
    )
