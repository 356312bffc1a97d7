"""Latency as a gate: each cell against its own newest stored run, and nothing stored that broke a promise."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pytest

from fixtures.capability import Tower
from fixtures.cells import EncoderKey
from plugins.latency.benchmark_options import ASKED, stored_at
from plugins.latency.history import FIELD, History, Stored, stored_form
from plugins.latency.limits import Limits, limits_in
from plugins.latency.machine import differences, machine
from plugins.latency.slowdown import Against
from plugins.latency.trend import FEWEST_RUNS, trend
from plugins.measures.latency.decision import Decision, Limit, Verdict, decide
from plugins.measures.latency.paired import Block, Interval, Pairs

PRECISE = 0.01  # without a baseline there is nothing to decide: the ratio is known well enough within 1 % on both sides
Name = tuple[str, str, str]


@dataclass(frozen=True)
class Outcome:
    """What a cell's alternation found; true unless it is slower than it may be."""

    decision: Decision
    against: Against | None

    def __bool__(self) -> bool:
        return self.against is None or self.decision.verdict != "fail"

    def __str__(self) -> str:
        slower = f"slower: {self.against.sentence(self.decision.found, self.decision.pairs)}\n" if self.against else ""
        return slower + self.decision.effort


@dataclass
class Notes:
    """What the end of the run has to say."""

    measured: set[tuple[str, str]] = field(default_factory=set)  # cell, tower
    compared: list[Name] = field(default_factory=list)
    no_baseline: dict[Name, str] = field(default_factory=dict)  # with the way to compare all the same, if there is one
    passed: int = 0
    inconclusive: dict[Name, str] = field(default_factory=dict)
    trends: dict[Name, dict[str, Any]] = field(default_factory=dict)


class Gate:
    """The session's limits, history and findings."""

    def __init__(self, config: pytest.Config) -> None:
        self.config, self.notes, self.comparisons = config, Notes(), 1
        self.asked: bool | str = config.stash[ASKED]

    @cached_property
    def history(self) -> History:
        """Read when first asked for."""
        storage = self.config._benchmarksession.storage  # type: ignore[attr-defined]
        return History(storage, self.asked if isinstance(self.asked, str) else None)

    @cached_property
    def limits(self) -> Limits:
        """Of the folder of golden data in use."""
        return limits_in(self.config.getoption("--golden"))

    def against(self, name: Name) -> Against | None:
        """The baseline of a cell's tower with its limit; None where nothing is compared."""
        then = self.history.baseline(name) if self.asked else None
        if then is None:
            return None
        limit = Limit(self.limits.of(name[0]), self.limits.false_alarms, self.comparisons)
        return Against(then, limit, self.limits.between_runs)

    def measure(self, key: EncoderKey, tower: Tower, ours: Block, reference: tuple[str, Block]) -> Outcome:
        """Alternate until the answer is clear or the budget is spent."""
        name = (str(key), tower, reference[0])
        against = self.against(name)
        limit = against.limit if against else Limit(0.0)
        judged = against.judged if against else _precise
        budget = self.config.getoption("--latency-budget")
        decision = decide(ours, reference[1], limit, budget, np.random.default_rng(), judged)
        outcome = Outcome(decision, against)
        self._note(name, outcome)
        return outcome

    def _note(self, name: Name, outcome: Outcome) -> None:
        self.notes.measured.add(name[:2])
        if self.asked and outcome.against is None:
            self.notes.no_baseline[name] = self._elsewhere(self.history.elsewhere(name))
        elif outcome.against:
            self.notes.compared.append(name)
            self.notes.passed += outcome.decision.verdict == "pass"
            if outcome.decision.verdict == "inconclusive":
                self.notes.inconclusive[name] = outcome.against.sentence(
                    outcome.decision.found, outcome.decision.pairs
                ).splitlines()[0]

    def _elsewhere(self, then: Stored | None) -> str:
        if then is None:
            return ""
        command = f"--benchmark-compare={shlex.quote(stored_at(then.file, self.config))}"
        return (
            f"another environment's, not compared, differs in {'; '.join(differences(machine(), then.machine))}: {command} does"
        )

    def report(self, outcome: Outcome, name: Name) -> tuple[dict[str, Any], dict[str, Any]]:
        """What report.json shows, and what is stored."""
        stored = stored_form(*name, outcome.decision.pairs, outcome.decision.verdict if outcome.against else "recorded")
        shown = {k: v for k, v in stored.items() if k not in ("cell", "tower", "log_ratios")}
        if outcome.against:
            shown |= outcome.against.found(outcome.decision.found, outcome.decision.pairs)
            if stored["verdict"] == "inconclusive" and _refines(stored, outcome.against.then.found):
                stored["verdict"] = "refined"
        runs = self.history.ratios(name)
        if runs:
            shown["trend"] = trend(runs, stored["ratio"])
            if shown["trend"]["runs"] > FEWEST_RUNS:
                self.notes.trends[name] = shown["trend"]
        return shown, {FIELD: stored}


def _refines(now: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
    """True when this run agrees with its baseline and knows more."""
    return bool(then["low"] <= now["ratio"] <= then["high"] and now["high"] / now["low"] < then["high"] / then["low"])


def _precise(found: Interval, pairs: Pairs) -> Verdict:
    return "pass" if found.high / found.low < (1 + PRECISE) ** 2 else "inconclusive"
