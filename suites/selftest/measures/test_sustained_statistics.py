"""Sustained load on simulated clocks: equal sides raise no alarm more often than stated, also in bursts; planted ones do."""

import numpy as np
import pytest

from plugins.measures.latency.pauses import Pause, chance_of, enough, paused, undisturbed
from plugins.measures.latency.shapes import FirstCall, costly
from plugins.measures.latency.starts import Times
from plugins.measures.latency.sustained import Series, series, series_of

BLOCKS, CALLS, ALLOWED, CHANCE, RUNS = 100, 10, 0.05, 0.05, 100
AT_MOST = 11  # alarms of RUNS at a rate of CHANCE: more come up in 1 of 200 (binomial)


def bursts(rng: np.random.Generator, share: float, told: bool) -> np.ndarray:
    """Factors [BLOCKS, 2, CALLS] of other load that comes for some 8 blocks on end and meets both sides; `told`: it shows as
    waiting, so it is below 0."""
    busy = np.zeros(BLOCKS, bool)
    for first in np.flatnonzero(rng.random(BLOCKS) < share / 8):
        busy[first : first + rng.integers(1, 16)] = True
    hit = busy[:, None, None] & (rng.random((BLOCKS, 2, CALLS)) < 0.7)
    return np.where(hit, rng.uniform(1, 4, hit.shape) * (-1 if told else 1), 1.0)


def simulated(rng: np.random.Generator, busy: float = 0.0, told: bool = False, slower: float = 0.0, after: int = 0) -> Series:
    """Calls of 2 and 3 ms with 3 % of noise; ours take longer by `slower` after so many calls."""
    factors = bursts(rng, busy, told)
    seconds = np.array([2e-3, 3e-3])[:, None] * np.exp(rng.normal(0, 0.03, factors.shape)) * np.abs(factors)
    made = np.arange(BLOCKS) * CALLS
    seconds[made >= after, 0] *= 1 + slower
    waited = np.where(factors < 0, seconds / 2, 0)
    ours, other = ([(seconds[i, side].tolist(), waited[i, side].tolist()) for i in range(BLOCKS)] for side in (0, 1))
    return series_of(ours, other, made.tolist(), BLOCKS * CALLS, 5.0)


@pytest.mark.parametrize(("busy", "told"), [(0.0, False), (0.3, True), (0.3, False)])
def test_equal_series_have_no_step(busy: float, told: bool) -> None:
    """Nor a step that another start repeats, where bursts meet a side's blocks more than the other's by chance."""
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(RUNS):
        first = simulated(rng, busy, told).step(0.0, CHANCE)
        alarms += bool(first and (not busy or simulated(rng, busy, told).again(first, 0.0, CHANCE)))
    assert alarms <= AT_MOST


def test_a_step_is_found_where_it_is() -> None:
    """30 % after 200 calls, in both starts, also in bursts; 4 % are allowed, and less time is no slowdown."""
    rng = np.random.default_rng(1)
    for busy in (0.0, 0.3):
        first = simulated(rng, busy, slower=0.3, after=200).step(ALLOWED, 1e-4)
        assert first and abs(first.after_calls - 200) <= 2 * CALLS and 1.2 < first.times < 1.4
        again = simulated(rng, busy, slower=0.3, after=200).again(first, ALLOWED, 1e-4)
        assert again and again.times == pytest.approx(1.3, abs=0.1)
        assert simulated(rng, busy).again(first, ALLOWED, 1e-4) is None
    assert simulated(rng, slower=0.04, after=200).step(ALLOWED, 1e-4) is None
    assert simulated(rng, slower=-0.3, after=200).step(ALLOWED, 1e-4) is None


def test_the_smallest_step_is_found_in_95_of_100() -> None:
    """As stated by series without one."""
    rng = np.random.default_rng(2)
    stated = float(np.median([simulated(rng).seen(ALLOWED, 1e-3) or np.inf for _ in range(30)]))
    assert ALLOWED < stated < 0.15
    found = [bool(simulated(rng, slower=stated, after=100).step(ALLOWED, 1e-3)) for _ in range(60)]
    assert np.mean(found) > 0.85
    assert Series(np.zeros(4), np.arange(4), 8, 1.0).seen(ALLOWED, 1e-3) is None


def test_a_series_ends_at_its_calls_or_its_seconds() -> None:
    """And makes one pair of blocks at least; a side whose calls always wait is compared by all its calls."""
    rng = np.random.default_rng(3)

    def block(calls: int) -> Times:
        return [1e-3] * calls, [1e-3] * calls

    found = series(block, block, 60.0, rng, most=100)
    assert 100 <= found.calls < 120 and len(found.logs) == 10 and np.all(found.logs == 0)
    assert len(series(block, block, 0.0, rng).logs) == 1


def test_a_verdict_about_pauses_needs_enough_of_them() -> None:
    """All but one of these; equal sides are above the limit less often than half of the time, whatever the noise."""
    n = enough(1e-4)
    over, usual = Pause(2.0, 1.0), Pause(1.1, 1.0)
    assert chance_of([over] * (n - 1) + [usual]) < 1e-4 < chance_of([over] * (n - 2) + [usual])
    rng, alarms = np.random.default_rng(4), 0
    for _ in range(300):
        ratios = np.exp(rng.normal(0, 0.5, (n, 2))) * np.where(rng.random((n, 1)) < 0.3, rng.uniform(1, 9, (n, 1)), 1)
        alarms += chance_of([Pause(float(ours), float(other)) for ours, other in ratios]) < 0.01
    assert alarms <= 3 and chance_of([]) == 1


class Rests:
    """A side whose first call behind a pause takes `times` as long, and is interrupted behind every so many pauses."""

    def __init__(self, times: float, every: int = 0) -> None:
        self.times, self.every, self.pauses, self.rested = times, every, 0, False

    def __call__(self, calls: int) -> Times:
        """A millisecond a call."""
        rested, self.rested = self.rested, False
        waits = rested and self.every and self.pauses % self.every == 0
        return [1e-3 * (self.times if rested else 1)] * calls, [1e-4 if waits else 0.0] * calls

    def rest(self) -> None:
        """Begin a pause."""
        self.rested, self.pauses = True, self.pauses + 1


def test_pauses_on_a_simulated_clock() -> None:
    """Ours take three times as long behind a pause; interrupted calls are made again, up to a number, and do not count."""
    rng = np.random.default_rng(5)

    def found(ours: Rests, other: Rests, most: int) -> list[Pause]:
        def rest(seconds: float) -> None:
            for side in (ours, other):
                side.rest()

        return paused((ours, other), 0.05, 8, most, rng, rest)

    slow = found(Rests(3.0), Rests(1.0), 16)
    assert len(slow) == 8 and all(pause.over and pause.own and pause.ours == pytest.approx(3) for pause in slow)
    assert not any(pause.over for pause in found(Rests(3.0), Rests(3.0), 16))
    interrupted = found(Rests(1.0, every=2), Rests(1.0), 10)
    assert len(interrupted) == 10 and sum(pause.own for pause in interrupted) == 5
    assert undisturbed([Pause(9.0, 1.0, own=False), Pause(1.0, 1.0)]) == [Pause(1.0, 1.0)]


def test_what_a_new_shape_may_cost() -> None:
    """Four times a later call, and three times what it costs the reference; waiting for a processor does not count."""
    later, four, five = (FirstCall(times, 0.0, 1.0) for times in (1.0, 4.0, 5.0))
    found = {"2 rows": (five, later), "3 rows": (four, later), "5 rows": (five, FirstCall(2.0, 0.0, 1.0))}
    assert costly(found) == ["2 rows"]
    waited = FirstCall.of((9.0, 2.0, 1.0), (8.5, 0.0, 0.0))
    assert (waited.times, waited.at_least) == (9.0, 0.5) and costly({"2 rows": (waited, later)}) == []
