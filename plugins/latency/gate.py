"""The latency gate: compares each cell with its newest stored run, and stores no cell that broke a promise."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import pytest

from fixtures.capability import Tower
from fixtures.cells import EncoderKey
from plugins.latency.adapter import BenchmarkSession, Stopwatch
from plugins.latency.fresh import Timing
from plugins.latency.history import FIELD, SLOW, STARTING, History, Stored, stored_form
from plugins.latency.limits import Limits, limits_in
from plugins.latency.machine import differences, machine
from plugins.latency.slowdown import Against
from plugins.latency.starting import Starting, slower, starting
from plugins.latency.trend import FEWEST_RUNS, trend
from plugins.measures.latency.decision import Limit, Verdict
from plugins.measures.latency.level import Level
from plugins.measures.latency.starts import DecisionByStarts, Start, decide_by_starts, slow_calls
from plugins.measures.latency.tail import Slow, Tail

Name = tuple[str, str, str]


@dataclass(frozen=True)
class Outcome:
    """The result of one comparison; true unless the cell is slower than allowed."""

    name: Name
    decision: DecisionByStarts
    against: Against | None  # the baseline, if there is one
    before: list[Stored]  # all stored runs of the cell on this machine, oldest first
    slow: tuple[Slow, Slow]  # ours and the reference's
    starting: Starting  # what each process took to start

    def __bool__(self) -> bool:
        return self.verdict != "fail"

    @property
    def verdict(self) -> str:
        """pass, fail or inconclusive; "recorded" without a baseline."""
        if self.against is None:
            return "recorded"
        return "fail" if any(tail.fails for tail in self.tails) or self.slower_starts else self.decision.verdict

    @cached_property
    def slower_starts(self) -> list[str]:
        """Sentences about what takes longer to start than in the baseline."""
        return slower(self.starting, self.against.then.found.get(STARTING, {})) if self.against else []

    @cached_property
    def tails(self) -> list[Tail]:
        """Slow calls beside those of the baseline; empty without one that has stored them."""
        return self.against.tails(*self.slow) if self.against else []

    @property
    def seen(self) -> float:
        """The smallest slowdown that this comparison would have found with 95 % chance; requires a baseline."""
        assert self.against
        return self.against.seen(self.decision)

    @property
    def sentence(self) -> str:
        """The change since the baseline, and the effort of the measurement."""
        if not self.against:
            return self.decision.effort
        slow = "".join(f"more slow calls: {tail}\n" for tail in self.tails if tail.fails)
        slow += "".join(f"slower to start, {sentence}\n" for sentence in self.slower_starts)
        return f"{slow}{'slower' if self.decision.verdict == 'fail' else 'middle'}: {self.change}\n{self.decision.effort}"

    @property
    def change(self) -> str:
        """Numbers and limit in one line, the baseline in a second one; requires a baseline."""
        return self.against.sentence(self.decision) if self.against else ""

    @cached_property
    def trend(self) -> dict[str, Any]:
        """The ratios of the stored runs and of this one; empty if nothing is stored."""
        return trend(self.before, self._form["ratio"]) if self.before else {}

    @cached_property
    def shown(self) -> dict[str, Any]:
        """The form that report.json contains."""
        shown = {k: v for k, v in self._form.items() if k not in ("cell", "tower", "starts", SLOW, STARTING)}
        if self.against:
            shown |= self.against.found(self.decision) | {"would_have_seen": self.seen}
        if self.tails:
            shown["tails"] = [tail.shown for tail in self.tails]
        return shown | ({"trend": self.trend} if self.trend else {})

    @property
    def stored(self) -> dict[str, Any]:
        """The form that a stored run contains."""
        refined = self.against and self.verdict == "inconclusive" and _refines(self._form, self.against.then.found)
        return self._form | ({"verdict": "refined"} if refined else {})

    @cached_property
    def _form(self) -> dict[str, Any]:
        ours, reference = (vars(slow) for slow in self.slow)
        counts = {SLOW: {"ours": ours, "reference": reference}}
        return stored_form(*self.name, self.decision, self.verdict) | counts | {STARTING: self.starting}


@dataclass
class Notes:
    """Notes for the summary at the end of the run."""

    measured: set[tuple[str, str]] = field(default_factory=set)  # cell, tower
    compared: list[Name] = field(default_factory=list)
    no_baseline: dict[Name, str] = field(default_factory=dict)  # with the command that compares anyway, if there is one
    passed: int = 0
    seen: dict[Name, float] = field(default_factory=dict)  # the smallest slowdown that would have been found
    inconclusive: dict[Name, str] = field(default_factory=dict)
    trends: dict[Name, dict[str, Any]] = field(default_factory=dict)
    not_compared: list[str] = field(default_factory=list)  # stored, but not measured in this run


class Gate:
    """The session's limits, history and findings; `asked` is --benchmark-compare: False, True, or the name of a run.

    What a run `stores` others are compared with, so it is timed in fresh processes.
    """

    def __init__(self, config: pytest.Config, asked: bool | str, stores: bool) -> None:
        self.config, self.asked, self.stores = config, asked, stores
        self.notes, self.comparisons = Notes(), 1

    @cached_property
    def benchmarks(self) -> BenchmarkSession:
        """pytest-benchmark's session, which is configured after the options are read."""
        return BenchmarkSession(self.config)

    @cached_property
    def history(self) -> History:
        """The stored runs, read on first use."""
        return History(self.benchmarks, self.asked if isinstance(self.asked, str) else None)

    @cached_property
    def limits(self) -> Limits:
        """The limits for the folder of golden data in use."""
        return limits_in(self.config.getoption("--golden"))

    def against(self, name: Name) -> Against | None:
        """The baseline of a cell's tower with its limit; None if nothing is compared."""
        then = self.history.baseline(name) if self.asked else None
        if then is None:
            return None
        limit = Limit(self.limits.of(name[0]), self.limits.false_alarms, self.comparisons)
        return Against(then, limit, self.limits)

    def measure(self, key: EncoderKey, tower: Tower, timing: Timing, stopwatch: Stopwatch) -> Outcome | None:
        """Time the encoder beside its reference until the answer is clear or the budget is spent; store the result, note it
        for the summary. Returns None under --benchmark-disable, where nothing is timed.
        """
        if stopwatch(lambda: None, rounds=1, warm_ups=0) is None:
            return None
        name = (str(key), tower, timing.opponent)
        against = self.against(name)
        limit = against.limit if against else Limit(0.0)
        judged = against.judged if against else _never
        budget = self.config.getoption("--latency-budget")
        decision = decide_by_starts(
            partial(timing.begin, True), limit, self.limits.between_starts, budget, judged, timing.starts
        )
        outcome = Outcome(
            name,
            decision,
            against,
            self.history.ratios(name),
            slow_calls(decision.starts),
            starting(timing.ours.opened if timing.ours else []),
        )
        blocks = [block.own for start in decision.starts for block in start.ours]
        stopwatch.replace(np.concatenate(blocks))  # instead of the call of nothing
        stopwatch.keep({FIELD: outcome.stored})
        self._note(outcome)
        return outcome

    def _note(self, outcome: Outcome) -> None:
        notes, name = self.notes, outcome.name
        notes.measured.add(name[:2])
        if self.asked and outcome.against is None:
            notes.no_baseline[name] = self._elsewhere(self.history.elsewhere(name))
        elif outcome.against:
            notes.compared.append(name)
            notes.passed += outcome.verdict == "pass"
            notes.seen[name] = outcome.seen
            if outcome.verdict == "inconclusive":
                notes.inconclusive[name] = outcome.change.splitlines()[0]
                self.config.stash[UNCLEAR].append(f"{name[0]} {name[1]}")
        if outcome.trend.get("runs", 0) > FEWEST_RUNS:
            notes.trends[name] = outcome.trend

    def _elsewhere(self, then: Stored | None) -> str:
        if then is None:
            return ""
        full, here = self.benchmarks.folder / then.file, self.config.invocation_params.dir
        typed = str(full.relative_to(here) if full.is_relative_to(here) else full)
        differs = "; ".join(differences(machine(), then.machine))
        command = f"--benchmark-compare={shlex.quote(typed)}"
        return f"a stored run from another environment exists (differs in {differs}); to compare with it anyway: {command}"


def _refines(now: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    """True if this run agrees with its baseline and has a narrower interval."""
    return bool(then["low"] <= now["ratio"] <= then["high"] and now["high"] / now["low"] < then["high"] / then["low"])


def _never(found: Level, starts: list[Start], confidence: float) -> Verdict:
    return "inconclusive"  # what becomes a baseline takes the whole budget


GATE = pytest.StashKey[Gate]()
UNCLEAR = pytest.StashKey[list[str]]()  # comparisons that could not have seen what they are for
