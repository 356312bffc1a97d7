"""The change of a cell's ratio to its reference between two runs, with the uncertainty of both and between runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, hypot, log, sqrt
from typing import Any

from plugins.latency.history import SLOW, Stored
from plugins.latency.limits import Limits
from plugins.latency.machine import differences, machine
from plugins.measures.latency.decision import Limit, Verdict, verdict
from plugins.measures.latency.level import Level, usual_s
from plugins.measures.latency.paired import Interval
from plugins.measures.latency.power import smallest_slowdown
from plugins.measures.latency.starts import DecisionByStarts, Start
from plugins.measures.latency.tail import Slow, Tail, since

# Standard deviation of how far a cell's own drift is from the reference's, as a share of the reference's. Measured: where torch
# eager takes 28 % longer for seconds (log 0.25), onnxruntime takes 50 % (log 0.42), which is 0.7 more. At the confidence of a
# last look, 0.4 covers everything from no drift at all to twice the reference's.
UNEVEN = 0.4


def change(now: Level, then: Level, between_runs: float, drift: float, confidence: float) -> Interval:
    """The ratio now / then, with the errors of both, the spread between runs, and what an uneven drift does.

    `between_runs` is one run's standard deviation, relative, that its own processes do not show.
    `drift` is the logarithm of the reference's time now over then. The cell may not share it, because load can slow the two
    unequally: see UNEVEN.
    """
    return now.since(then).wider(hypot(sqrt(2) * between_runs, UNEVEN * drift)).interval(confidence)


@dataclass(frozen=True)
class Against:
    """A baseline and the allowed slowdown."""

    then: Stored
    limit: Limit
    limits: Limits

    @cached_property
    def level(self) -> Level:
        """The baseline's; each look at the starts needs it."""
        return Level.of(self.then.starts, self.limits.between_starts)

    def change(self, now: Level, starts: Sequence[Start], confidence: float) -> Interval:
        """The slowdown since the baseline, of the level of these starts."""
        drift = log(usual_s([start.blocks[1] for start in starts]) / self.then.found["reference_s"])
        return change(now, self.level, self.limits.between_runs, drift, confidence)

    def seen(self, decision: DecisionByStarts) -> float:
        """The smallest slowdown that the whole budget would have found with 95 % chance."""
        level, confidence = decision.whole
        return smallest_slowdown(self.change(level, decision.starts, confidence), self.limit.slowdown)

    def judged(self, now: Level, starts: Sequence[Start], confidence: float) -> Verdict:
        """The decision after one look at the starts."""
        return verdict(self.change(now, starts, confidence), self.limit.slowdown)

    def tails(self, ours: Slow, reference: Slow) -> list[Tail]:
        """Slow calls of this run beside those of the baseline; empty if it has stored none."""
        then = self.then.found.get(SLOW)
        if not then:
            return []
        sides = (ours, Slow.stored(then["ours"])), (reference, Slow.stored(then["reference"]))
        return since(*sides, self.limit.false_alarms / self.limit.cells)

    @property
    def differs(self) -> list[str]:
        """Fields in which the baseline's environment differs; empty unless the user named the file."""
        return differences(machine(), self.then.machine)

    def found(self, decision: DecisionByStarts) -> dict[str, Any]:
        """The form that report.json contains."""
        since = self.change(decision.found, decision.starts, decision.confidence)
        return {
            "change": {"ratio": since.ratio, "low": since.low, "high": since.high, "confidence": since.confidence},
            "allowed_slowdown": self.limit.slowdown,
            "baseline": {
                "file": self.then.file,
                "datetime": self.then.when,
                "commit": self.then.commit,
                "ratio": self.then.found["ratio"],
                **({"differs": self.differs} if self.differs else {}),
            },
        }

    def sentence(self, decision: DecisionByStarts) -> str:
        """Numbers, limit and file for the message."""
        since = self.change(decision.found, decision.starts, decision.confidence)
        other = f", of another environment ({'; '.join(self.differs)})" if self.differs else ""
        return (
            f"{since.ratio - 1:+.1%} [{since.low - 1:+.1%}, {since.high - 1:+.1%}] against {self.limit.slowdown:+.1%} allowed: "
            f"{exp(decision.found.mean):.4g} × {self.then.found['reference']} now, {self.then.found['ratio']:.4g} × then "
            f"(itself {1e3 * decision.usual_s[1]:.3g} ms now, {1e3 * self.then.found['reference_s']:.3g} ms then)\n"
            f"baseline: {self.then.file} of {self.then.when[:19]}, commit {self.then.commit}{other}"
        )
