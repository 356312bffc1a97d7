"""Now against then: the change of a cell's ratio to its reference, with both runs' uncertainty and that between runs."""

from dataclasses import dataclass
from math import exp, hypot, log, sqrt
from typing import Any

from plugins.decision import Limit, Verdict, verdict
from plugins.history import Stored
from plugins.machine import differences, machine
from plugins.paired import Interval


def change(now: Interval, then: Interval, between_runs: float) -> Interval:
    """now / then in logarithms, each side's half-widths added in quadrature with the spread between two processes.

    Both intervals must have the same confidence; `between_runs` is one run's standard deviation, relative.
    """
    from scipy.stats import norm

    if now.confidence != then.confidence:
        raise ValueError(f"intervals of {now.confidence} and {then.confidence}, expected the same confidence")
    middle = log(now.ratio / then.ratio)
    apart = float(norm.ppf(0.5 + now.confidence / 2)) * sqrt(2) * between_runs
    below = hypot(_width(now.low, now.ratio), _width(then.ratio, then.high), apart)
    above = hypot(_width(now.ratio, now.high), _width(then.low, then.ratio), apart)
    return Interval(exp(middle - below), exp(middle), exp(middle + above), now.confidence, min(now.n, then.n))


def _width(low: float, high: float) -> float:
    return log(high / low) if 0 < low <= high else float("inf")


@dataclass(frozen=True)
class Against:
    """A baseline, and what is allowed against it."""

    then: Stored
    limit: Limit
    between_runs: float

    def change(self, now: Interval) -> Interval:
        """The slowdown since then, at `now`'s confidence."""
        return change(now, self.then.interval(now.confidence), self.between_runs)

    def judged(self, now: Interval) -> Verdict:
        """Of one look at the pairs."""
        return verdict(self.change(now), self.limit.slowdown)

    @property
    def differs(self) -> list[str]:
        """Fields in which the baseline's environment is another one: only ever where a person named the file."""
        return differences(machine(), self.then.machine)

    def found(self, now: Interval) -> dict[str, Any]:
        """For the report."""
        since = self.change(now)
        return {
            "change": {"ratio": since.ratio, "low": since.low, "high": since.high, "confidence": since.confidence},
            "allowed_slowdown": self.limit.slowdown,
            "baseline": {"file": self.then.file, "datetime": self.then.when, "commit": self.then.commit,
                         "ratio": self.then.found["ratio"], **({"differs": self.differs} if self.differs else {})},
        }  # fmt: skip

    def sentence(self, now: Interval) -> str:
        """Numbers, limit and file, for the message."""
        since = self.change(now)
        other = f", of another environment ({'; '.join(self.differs)})" if self.differs else ""
        return (
            f"{since.ratio - 1:+.1%} [{since.low - 1:+.1%}, {since.high - 1:+.1%}] against {self.limit.slowdown:+.1%} allowed: "
            f"{now.ratio:.4g} × {self.then.found['reference']} now, {self.then.found['ratio']:.4g} × then\n"
            f"baseline: {self.then.file} of {self.then.when[:19]}, commit {self.then.commit}{other}"
        )
