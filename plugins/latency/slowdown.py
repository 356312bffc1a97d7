"""The change of a cell's ratio to its reference between two runs, with the uncertainty of both and between runs."""

from dataclasses import dataclass
from math import exp, hypot, log, sqrt
from typing import Any

import numpy as np

from plugins.latency.history import SLOW, Stored
from plugins.latency.machine import differences, machine
from plugins.measures.latency.decision import Limit, Verdict, verdict
from plugins.measures.latency.paired import Interval, Pairs
from plugins.measures.latency.power import longer, smallest_slowdown
from plugins.measures.latency.tail import Slow, Tail, since


def change(now: Interval, then: Interval, between_runs: float, drift: float = 0.0) -> Interval:
    """The ratio now / then; in logarithms, both half-widths and the spread between two processes add in quadrature.

        Both intervals must have the same confidence; `between_runs` is one run's standard deviation, relative.
        `drift` is the logarithm of the reference's time now over then. The cell may not share it, because load can slow the two
    unequally (a call longer than a time slice is always interrupted). So the interval covers both answers, by ratio and by
    absolute time, and a cell counts as slower only if it is slower by both.
    """
    from scipy.stats import norm

    if now.confidence != then.confidence:
        raise ValueError(f"intervals of {now.confidence} and {then.confidence}, expected the same confidence")
    middle = log(now.ratio / then.ratio)
    apart = float(norm.ppf(0.5 + now.confidence / 2)) * sqrt(2) * between_runs
    below = hypot(_width(now.low, now.ratio), _width(then.ratio, then.high), apart)
    above = hypot(_width(now.ratio, now.high), _width(then.low, then.ratio), apart)
    return Interval(
        exp(middle + min(0.0, drift) - below),
        exp(middle),
        exp(middle + max(0.0, drift) + above),
        now.confidence,
        min(now.n, then.n),
    )


def _width(low: float, high: float) -> float:
    return log(high / low) if 0 < low <= high else float("inf")


@dataclass(frozen=True)
class Against:
    """A baseline and the allowed slowdown."""

    then: Stored
    limit: Limit
    between_runs: float

    def change(self, now: Interval, pairs: Pairs) -> Interval:
        """The slowdown since the baseline, at the confidence of `now`, which is the interval of `pairs`."""
        drift = log(float(np.median(pairs[:, 1])) / self.then.found["reference_s"])
        return change(now, self.then.interval(now.confidence), self.between_runs, drift)

    def seen(self, now: Interval, pairs: Pairs, left: float) -> float:
        """The smallest slowdown that a run `left` times as long would have found with 95 % chance."""
        return smallest_slowdown(self.change(longer(now, left), pairs), self.limit.slowdown)

    def judged(self, now: Interval, pairs: Pairs) -> Verdict:
        """The decision after one look at the pairs."""
        return verdict(self.change(now, pairs), self.limit.slowdown)

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

    def found(self, now: Interval, pairs: Pairs) -> dict[str, Any]:
        """The form that report.json contains."""
        since = self.change(now, pairs)
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

    def sentence(self, now: Interval, pairs: Pairs) -> str:
        """Numbers, limit and file for the message."""
        since = self.change(now, pairs)
        other = f", of another environment ({'; '.join(self.differs)})" if self.differs else ""
        return (
            f"{since.ratio - 1:+.1%} [{since.low - 1:+.1%}, {since.high - 1:+.1%}] against {self.limit.slowdown:+.1%} allowed: "
            f"{now.ratio:.4g} × {self.then.found['reference']} now, {self.then.found['ratio']:.4g} × then "
            f"(itself {1e3 * float(np.median(pairs[:, 1])):.3g} ms now, {1e3 * self.then.found['reference_s']:.3g} ms then)\n"
            f"baseline: {self.then.file} of {self.then.when[:19]}, commit {self.then.commit}{other}"
        )
