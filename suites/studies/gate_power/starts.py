"""`python -m suites.studies.gate_power.starts`: how many starts `--benchmark-compare` needs, by simulation; 2 minutes."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from fixtures.progress import ProgressLine
from plugins.latency.history import Stored, stored_form
from plugins.latency.limits import load_limits
from plugins.latency.slowdown import Against
from plugins.measures.latency.decision import Limit, Verdict
from plugins.measures.latency.level import Level
from plugins.measures.latency.starts import START_S, DecisionByStarts, Start, decide_by_starts
from plugins.report.layout import table
from suites.studies.gate_power.simulated import Machine

COMPARISONS, TRIALS = 2, 200
SPREADS, STARTS, PLANTED = (0.01, 0.02, 0.04, 0.09), (6, 12, 25, 50), (0.0, 0.05, 0.1)
DRIFT = 0.01  # the reference's from run to run; the cell has any share of it from none to twice, equally likely
LIMITS = load_limits()


def stored(decision: DecisionByStarts) -> Stored:
    """As a run of equal code would store it."""
    return Stored("0001_simulated.json", "", {}, "", stored_form("cell", "image", "reference", decision, "recorded"))


def never(level: Level, starts: list[Start], confidence: float) -> Verdict:
    """What becomes a baseline takes all its starts."""
    return "inconclusive"


def trial(seed: int, spread: float, starts: int) -> Mapping[float, bool]:
    """Whether a run with each of PLANTED fails, beside one stored run of the code without it.

    `spread` is the standard deviation of a start's ratio; that of a run is what latency.toml expects.
    """
    rng = np.random.default_rng([seed, round(1e4 * spread), starts])
    decide = partial(decide_by_starts, known=LIMITS.between_starts, budget_s=START_S * starts, wanted=starts)

    def run(planted: float, limit: Limit, against: Against | None) -> DecisionByStarts:
        drift, share = rng.normal(0, DRIFT), rng.uniform(0, 2)
        machine = Machine(int(rng.integers(2**32)), spread / np.sqrt(2), 0.0, float(np.exp(drift)))
        own = np.exp((share - 1) * drift + rng.normal(0, LIMITS.between_runs))
        judged = against.judged if against else never
        return decide(partial(machine.begin, float(own * (1 + planted) - 1)), limit, judged=judged)

    limit = Limit(LIMITS.slowdown, LIMITS.false_alarms, COMPARISONS)
    against = Against(stored(run(0.0, limit, None)), limit, LIMITS)
    return {planted: run(planted, limit, against).verdict == "fail" for planted in PLANTED}


def rates(spread: float, starts: int, trials: int = TRIALS) -> list[float]:
    """The share of trials that fail with each of PLANTED."""
    found = [trial(seed, spread, starts) for seed in range(trials)]
    return [sum(each[planted] for each in found) / trials for planted in PLANTED]


def markdown() -> str:
    """Alarms over each of PLANTED, by spread and starts."""
    line, rows = ProgressLine("simulated comparisons"), []
    for spread in SPREADS:
        cells = []
        for starts in STARTS:
            line.step(f"{spread:.0%} from start to start, {starts} starts")
            cells.append(" / ".join(f"{rate:.0%}" for rate in rates(spread, starts)))
        rows.append((f"{spread:.0%}", *cells))
    line.finish()
    head = ("a start's ratio differs by", *(f"{n} starts ({START_S * n:.1f} s)" for n in STARTS))
    return table(head, rows)


if __name__ == "__main__":
    print(markdown())
