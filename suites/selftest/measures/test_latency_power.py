"""What a comparison says that it would have seen is what it sees, and slow calls are counted fairly."""

import numpy as np
import pytest

from plugins.measures.latency.level import Level
from plugins.measures.latency.paired import interval
from plugins.measures.latency.power import smallest_slowdown
from plugins.measures.latency.tail import Slow, beside, since

PAIRS, NOISE, CONFIDENCE, ALLOWED = 60, 0.05, 0.999, 0.02


def pairs(rng: np.random.Generator, slower: float, n: int = PAIRS) -> np.ndarray:
    """Times of two sides with noise of their own."""
    return np.exp(rng.normal(0, NOISE, (n, 2))) * [1 + slower, 1]


def test_the_smallest_slowdown_is_found_in_95_of_100() -> None:
    """Planted as stated by runs of equal code, and judged by the lower end."""
    rng = np.random.default_rng(0)
    stated = float(np.median([smallest_slowdown(interval(pairs(rng, 0), CONFIDENCE), ALLOWED) for _ in range(50)]))
    found = [interval(pairs(rng, stated), CONFIDENCE).low > 1 + ALLOWED for _ in range(200)]
    assert 0.85 < np.mean(found) <= 1 and ALLOWED < stated < 0.15
    less = [interval(pairs(rng, ALLOWED + (stated - ALLOWED) / 2), CONFIDENCE).low > 1 + ALLOWED for _ in range(200)]
    assert np.mean(less) < 0.75


def test_more_pairs_see_more() -> None:
    """Four times as many halve the interval, about."""
    rng = np.random.default_rng(1)
    short, long = (Level.of([([ours], [other]) for ours, other in pairs(rng, 0, n)], NOISE) for n in (PAIRS, 4 * PAIRS))
    expected, stated = (smallest_slowdown(level.interval(CONFIDENCE), ALLOWED) for level in (long, short.longer(4)))
    assert stated == pytest.approx(expected, abs=0.015)
    assert short.longer(0.5) == short


def blocks(rng: np.random.Generator, n: int, every: float = 0.0, times: float = 1.0, busy: float = 0.0) -> Slow:
    """Counts of n blocks of 10 calls: a share `every` takes `times` as long, and a share `busy` is interrupted."""
    calls = np.exp(rng.normal(0, 0.05, (n, 10)))
    calls *= np.where(rng.random(calls.shape) < every, times, 1)
    calls *= np.where(rng.random(calls.shape) < busy, rng.uniform(1, 9, calls.shape), 1)
    return Slow.of(calls.tolist())


@pytest.mark.parametrize(("every", "times"), [(0.05, 2.0), (0.25, 8.0), (0.03, 8.0)])
def test_slow_calls_are_found(every: float, times: float) -> None:
    """In nearly every run of a hundred blocks, beside sides that have none and beside busy ones."""
    rng = np.random.default_rng(2)
    runs = [(blocks(rng, 100, every, times), *(blocks(rng, 100, busy=0.002) for _ in range(3))) for _ in range(50)]
    assert sum(any(tail.fails for tail in since((now, then), (one, two), 0.001)) for now, then, one, two in runs) >= 47
    assert sum(any(tail.fails for tail in beside(now, then, 0.001)) for now, then, *_ in runs) >= 47


@pytest.mark.parametrize("busy", [0.0, 0.01, 0.1])
def test_equal_code_raises_no_alarm(busy: float) -> None:
    """Or one, at the stated rate, however busy the machine is now, and calm then."""
    rng, alarms = np.random.default_rng(3), [0, 0]
    for _ in range(200):
        now, reference = blocks(rng, 60, busy=busy), blocks(rng, 60, busy=busy)
        calm = blocks(rng, 60), blocks(rng, 60)
        alarms[0] += any(tail.fails for tail in since((now, calm[0]), (reference, calm[1]), 0.001))
        alarms[1] += any(tail.fails for tail in beside(now, reference, 0.001))
    assert max(alarms) <= 1


def test_what_a_tail_would_have_seen() -> None:
    """A share of calls, which is found when it is planted; nothing where too few blocks were measured."""
    rng = np.random.default_rng(4)
    even = beside(blocks(rng, 100), blocks(rng, 100), 0.001)[1]
    assert even.seen is not None and 0.005 < even.seen < 0.05
    assert sum(beside(blocks(rng, 100, even.seen, 8.0), blocks(rng, 100), 0.001)[1].fails for _ in range(100)) >= 90
    assert beside(blocks(rng, 3), blocks(rng, 3), 0.001)[1].seen is None
