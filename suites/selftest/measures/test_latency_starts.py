"""Several fresh processes a side, on simulated ones: how often the gate cries wolf, what it finds, and which calls count."""

from functools import partial
from math import exp, log

import numpy as np
import pytest

from fixtures.worker import server
from plugins.latency.limits import Limits
from plugins.latency.slowdown import Against, change
from plugins.latency.starting import slower, starting
from plugins.measures.latency.decision import Limit, Verdict
from plugins.measures.latency.level import Level
from plugins.measures.latency.starts import (
    FEWEST_STARTS,
    LOOKS,
    USUAL_STARTS,
    Calls,
    DecisionByStarts,
    Start,
    decide_by_starts,
    slow_calls,
    starts_in,
)
from suites.studies.gate_power.simulated import Machine
from suites.studies.gate_power.starts import never, rates, stored

LIMITS = Limits(0.01, 0.05, 0.005, 0.01)


def decided(
    machine: Machine, slower: float, limit: Limit, against: Against | None = None, starts: int | None = None
) -> DecisionByStarts:
    """The decision about code that is `slower`, with the fewest blocks a start."""
    judged = against.judged if against else None
    return decide_by_starts(partial(machine.begin, slower), limit, LIMITS.between_starts, 1e-9, judged, starts)


def level(logs: list[float]) -> Level:
    """Of starts with one block a side, whose log ratios these are."""
    return Level.of([([exp(each)], [1.0]) for each in logs], 0.01)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No clock ends a comparison or a start: each has so many blocks."""
    monkeypatch.setattr("plugins.measures.latency.starts.PATIENCE", 1e15)
    monkeypatch.setattr("plugins.measures.latency.starts.FEWEST_BLOCKS", 8)


def test_equal_code_fails_no_more_often_than_stated() -> None:
    """Nothing allowed, 5 in 100 stated, beside each other (250 trials; 22 failures or more have a chance of 1 in 100)."""
    failed = sum(decided(Machine(seed), 0.0, Limit(0.0, 0.05)).verdict == "fail" for seed in range(250))
    assert failed < 22, failed


@pytest.mark.parametrize("busy", [0.0, 0.6])
def test_a_slowdown_is_found_and_a_small_one_is_not(busy: float) -> None:
    """10 % where 2 % is allowed, nearly always, however busy the machine; 1 % never."""
    limit = Limit(0.02, 0.01, cells=12)
    assert sum(decided(Machine(seed, busy=busy), 0.10, limit).verdict == "fail" for seed in range(60)) >= 57
    assert sum(decided(Machine(seed, busy=busy), 0.01, limit).verdict == "fail" for seed in range(60)) == 0


def test_two_runs_of_equal_code_agree() -> None:
    """Now against then, each run with an offset of its own: stated false alarms, and 20 % is found where none is allowed."""
    rng, failed, found, limit = np.random.default_rng(0), 0, 0, Limit(0.0, 0.05)
    for seed in range(200):
        offset = exp(rng.normal(0, LIMITS.between_runs))
        then = decide_by_starts(Machine(seed).begin, Limit(0.0), 0.01, 1e-9, never)
        against = Against(stored(then), limit, LIMITS)
        failed += decided(Machine(seed + 1000), offset - 1, limit, against).verdict == "fail"
        found += decided(Machine(seed + 2000), 1.2 * offset - 1, limit, against).verdict == "fail"
    assert failed < 18 and found >= 196, (failed, found)


def test_a_clear_answer_takes_few_processes() -> None:
    """Twice as slow is clear at the first look; what is on the limit takes all of them."""
    clear, unclear = Machine(0), Machine(1)
    assert decided(clear, 2.0, Limit(0.05)).verdict == "fail" and clear.processes == 2 * FEWEST_STARTS
    assert decided(unclear, 0.05, Limit(0.05)).verdict == "inconclusive"
    exact = decide_by_starts(unclear.begin, Limit(0.05), 0.01, 1e-9, never)
    assert len(exact.starts) == USUAL_STARTS and exact.whole == (exact.found, exact.confidence)
    assert len(decided(clear, 2.0, Limit(0.05), starts=40).starts) == round(40 * LOOKS[0])


def test_looks_share_the_false_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their parts add up to what is stated; where the time is over early, the look that is the last has all that is left."""
    limit, spent = Limit(0.05, 0.01, cells=3), list[float]()

    def judged(level: Level, starts: list[Start], confidence: float) -> Verdict:
        spent.append((1 - confidence) / 2)
        return "inconclusive"

    for number in (1, 2, USUAL_STARTS, 20, 41):
        spent.clear()
        decide_by_starts(Machine(0).begin, limit, 0.01, 1e-9, judged, number)
        assert sum(spent) == pytest.approx(0.01 / 3) and spent == sorted(spent)
    spent.clear()
    monkeypatch.setattr("plugins.measures.latency.starts.PATIENCE", 0.0)
    assert len(decide_by_starts(Machine(0).begin, limit, 0.01, 3.0, judged).starts) == FEWEST_STARTS
    assert spent == [pytest.approx(0.01 / 3)]


def test_a_longer_budget_makes_more_starts() -> None:
    """Because what differs from start to start is what limits a comparison; a short budget has the usual number."""
    assert starts_in(12.0) == 4 * starts_in(3.0) > USUAL_STARTS == starts_in(0.25)


@pytest.mark.parametrize(("spread", "least"), [(0.01, 34), (0.02, 25)])
def test_the_usual_budget_finds_ten_per_cent(spread: float, least: int) -> None:
    """Where 5 % is allowed, in 40 runs of the study's simulation; and no alarm over equal code."""
    equal, _, slow = rates(spread, starts_in(3.0), 40)
    assert equal == 0 and 40 * slow >= least, (equal, slow)


def test_states_of_the_machine() -> None:
    """Up to seven tenths of a run's starts are in a state that slows the two sides unequally: no alarm, and 10 % is found."""
    rng, limit, verdicts = np.random.default_rng(0), Limit(0.05, 0.01), list[tuple[str, str]]()
    for seed in range(40):
        hosts = [Machine(3 * seed + i, slow=float(rng.uniform(0, 0.7))) for i in range(3)]
        then = decide_by_starts(hosts[0].begin, Limit(0.0), 0.01, 1e-9, never, starts_in(3.0))
        against = Against(stored(then), limit, LIMITS)
        equal, slow = (
            decided(host, slower, limit, against, starts_in(3.0)) for host, slower in zip(hosts[1:], (0.0, 0.1), strict=True)
        )
        verdicts.append((equal.verdict, slow.verdict))
    assert not any(equal == "fail" for equal, _ in verdicts)
    assert sum(slow == "fail" for _, slow in verdicts) >= 27, verdicts


def test_what_it_would_have_seen_it_sees() -> None:
    """The smallest slowdown that runs of equal code state is found in about 95 of 100, against twenty stored runs."""
    limit, trials = Limit(0.05, 0.01), 5
    thens = [decide_by_starts(Machine(5000 + i).begin, Limit(0.0), 0.01, 1e-9, never) for i in range(20)]
    stored_runs = [Against(stored(then), limit, LIMITS) for then in thens]
    equal = [(then, decided(Machine(seed), 0.0, limit, then)) for seed, then in enumerate(2 * stored_runs)]
    slower = float(np.median([then.seen(each) for then, each in equal]))
    slow = [(then, Machine(seed + 100)) for seed, then in enumerate(trials * stored_runs)]
    found = sum(decided(machine, slower, limit, then).verdict == "fail" for then, machine in slow)
    assert 0.05 < slower < 0.2 and found >= 88, (slower, found)


def test_what_is_known_beforehand_counts_like_a_few_starts() -> None:
    """Two starts that happen to agree do not make an interval of no width; many starts that differ make a wide one."""
    lucky, wide = level([0.1, 0.1]), level(np.random.default_rng(0).normal(0, 0.1, 20).tolist())
    assert lucky.interval(0.95).high / lucky.interval(0.95).low > 1.02
    assert wide.error > 0.1 / np.sqrt(20)
    assert level([0.0] * 3 + [0.5] * 5).mean == pytest.approx(0.0)  # a state of the machine that lasts for most of the run
    assert level([0.3]).interval(0.95).n == 1


def test_a_change_covers_the_answer_by_ratio_and_by_time() -> None:
    """The reference takes half as long again now, or then: whether the cell shares that or not, nothing is clear."""
    now, then = level([0.0] * 8), level([0.0] * 8)
    plain, wider = change(now, then, 1e-6, 0.0, 0.95), change(now, then, 0.02, 0.0, 0.95)
    assert log(plain.low) == pytest.approx(-log(plain.high)) and wider.high > plain.high
    for drift in (0.05, 0.5):
        uneven = change(now, then, 1e-6, drift, Limit(0.0, cells=2).after(1.0, LOOKS[-2]))
        assert uneven == change(now, then, 1e-6, -drift, uneven.confidence)
        assert log(uneven.high) == pytest.approx(-log(uneven.low)) and log(uneven.high) > drift  # nothing of it, or twice
    assert change(now, then, 1e-6, 0.001, 0.95).high == pytest.approx(plain.high, rel=1e-3)


def test_interrupted_calls_do_not_count() -> None:
    """They say nothing of the code, unless nearly all are interrupted, or ours alone: then its own threads are in its way."""
    seconds, waited = np.full(40, 0.003), np.zeros(40)
    seconds[::4], waited[::4] = 0.03, 0.027
    busy, calm = Calls(seconds, waited), Calls(np.full(40, 0.003), np.zeros(40))
    assert busy.usual_s == pytest.approx(0.003) and len(busy.own) == 30
    assert Calls(seconds, np.where(waited > 0, waited, 0.001)).usual_s == pytest.approx(0.003)  # the least of them
    assert np.allclose(Start([busy], [calm]).blocks, 0.003)
    assert slow_calls([Start([busy], [busy])] * 5)[0].slow == (0, 0)
    assert slow_calls([Start([busy], [calm])] * 5)[0].slow == (5, 5)


def test_slow_calls_of_all_starts_are_counted_together() -> None:
    """1 in 20 twice as slow, of 8 processes on a busy machine, in blocks of 10 calls of which half wait."""
    host, starts = Machine(3, busy=0.5), []
    with host.begin(every=0.05, times=2.0) as (ours, other):
        for _ in range(8):
            blocks = [[Calls.of(*side(10)) for _ in range(10)] for side in (ours, other)]
            starts.append(Start(*blocks))
    mine, theirs = slow_calls(starts)
    expected = 80 * (1 - 0.95**10)
    assert mine.blocks == 80 and mine.slow[0] == pytest.approx(expected, abs=10) and theirs.slow == (0, 0)


def test_starting_has_wide_limits() -> None:
    """Every process of now beside every one of then: one that met a burst says nothing."""
    then = starting([{"model_s": 1.0, "load_s": load, "first_s": 0.1} for load in (1.0, 1.5, 2.0)])
    assert slower(starting([{"model_s": 2.0, "load_s": 6.0, "first_s": 0.1}] * 3), then) == []
    assert slower({"load": [4.1, 9.0], "first call": [0.3, 0.3]}, then) == [
        "load: at least 2.0 times as long as in the stored run, in all of 2 processes",
        "first call: at least 3.0 times as long as in the stored run, in all of 2 processes",
    ]
    assert slower({"load": [9.0]}, {}) == []


@pytest.mark.parametrize(("busy", "looks"), [([0.0], 1), ([9e-3, 9e-3, 2e-4], 3), ([9e-3] * 999, 50)])
def test_what_goes_on_after_a_call_is_waited_for(monkeypatch: pytest.MonkeyPatch, busy: list[float], looks: int) -> None:
    """Until threads rest, however long they spin, but not for ever. `busy`: seconds that they run between two looks."""

    class Spinning(server.Threads):
        """Each sleep is as long as it says."""

        slept = 0

        def ran(self) -> float:
            """So far."""
            return sum(busy[: self.slept])

        def sleep(self, seconds: float) -> None:
            """Time goes on."""
            self.slept += 1

        def perf_counter(self) -> float:
            """The time."""
            return self.slept * server.LOOK_S + 1e-9

    threads = Spinning()
    monkeypatch.setattr(server, "time", threads)
    threads.settle()
    assert threads.slept == looks


def test_threads_that_run_are_seen() -> None:
    """Those of this process."""
    threads = server.Threads()
    before = threads.ran()
    sum(range(10**6))
    assert threads.ran() - before > 1e-3
    threads.close()
