"""The interval of paired times is as sure as it says, under noise that is anything but normal; a simulated clock, no timing."""

import numpy as np
import pytest

from plugins.measures.latency import decision, paired
from plugins.measures.latency.decision import DecisionByPairs, Limit, decide

RUNS = 400
BLOCK_S = 0.015
STRICT = Limit(slowdown=0.0)


class Machine:
    """A clock, and blocks whose time is mostly right and, in bursts that outlast a block, wrong by a factor."""

    def __init__(self, seed: int) -> None:
        self.now, self.hit = 0.0, False
        self.rng = np.random.default_rng(seed)

    def perf_counter(self) -> float:
        return self.now

    def block(self, slower: float) -> paired.Block:
        def run(calls: int) -> float:
            self.now += BLOCK_S
            self.hit = self.rng.random() < (0.7 if self.hit else 0.1)
            return slower * float(self.rng.normal(1, 0.002)) * (float(self.rng.uniform(1, 4)) if self.hit else 1)

        return run


def decided(slower: float, seed: int, monkeypatch: pytest.MonkeyPatch, limit: Limit = STRICT) -> DecisionByPairs:
    """One decision within 2 seconds of the simulated clock."""
    machine = Machine(seed)
    monkeypatch.setattr(decision, "time", machine)
    return decide(machine.block(slower), machine.block(1.0), limit, 2.0, machine.rng)


def test_false_alarms_and_detection(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most the stated share over equal code, of all four looks together (11 of 400: 1 % and chance), and 1 % is found."""
    alarms = [decided(1.0, seed, monkeypatch).verdict == "fail" for seed in range(RUNS)]
    found = [decided(1.01, seed, monkeypatch).verdict == "fail" for seed in range(RUNS // 4)]
    assert sum(alarms) <= 11
    assert sum(found) >= 95


@pytest.mark.parametrize("n", [12, 20, 66, 300])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_tails_are_exact(n: int, confidence: float) -> None:
    """The chance that so few signs of n are negative is within the tail, and one more would not be."""
    from scipy.stats import binom

    ratios = np.exp(np.arange(n) / n)
    found = paired.interval(np.stack([ratios, np.ones(n)], axis=1), confidence)
    below = int(np.sum(ratios < found.low * (1 - 1e-9)))
    assert binom.cdf(below, n, 0.5) <= (1 - confidence) / 2 < binom.cdf(below + 1, n, 0.5)
    assert found.low < found.ratio < found.high


def test_a_run_of_many_cells_takes_more_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve pairs that agree are a chance of 1 in 4096: no verdict for one of a thousand cells."""
    limit = Limit(slowdown=0.0, cells=1000)
    wanted = paired.fewest(limit.confidence)
    assert 0.5**wanted < (1 - limit.confidence) / 2 <= 0.5 ** (wanted - 1)
    assert decided(2.0, 0, monkeypatch, limit).found.n >= wanted > 12
    with pytest.raises(ValueError, match=f"expected at least {wanted}"):
        paired.interval(np.ones((wanted - 1, 2)), limit.confidence)


def test_a_block_is_as_fast_as_its_fastest_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """What interrupts four calls of five does not count."""
    clock = iter([0.0, 9.0, 10.0, 17.0, 20.0, 23.0, 30.0, 38.0, 40.0, 46.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert paired.timed(lambda: None)(5) == 3.0


@pytest.mark.parametrize(("call_s", "calls"), [(0.001, 5), (0.02, 2), (0.0125, 4), (3.0, 2)])
def test_blocks_of_long_calls_hold_fewer(call_s: float, calls: int) -> None:
    """A model of 50 ms a call must not need a minute for its fewest pairs."""
    assert paired.calls_in_a_block(call_s) == calls
