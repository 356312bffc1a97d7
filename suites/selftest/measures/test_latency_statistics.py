"""The gate's mathematics on simulated clocks: how often it cries wolf, what it finds, and what a limit file may say."""

from itertools import cycle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fixtures.capability import Array, Encoder, Tokens, Tower
from fixtures.errors import BadInput
from plugins.latency.history import Stored
from plugins.latency.limits import FILE, load_limits
from plugins.latency.machine import differences, machine
from plugins.latency.trend import trend
from plugins.measures.latency import decision
from plugins.measures.latency.decision import Limit, decide
from plugins.measures.latency.paired import Block, fewest, median_interval, timed
from plugins.measures.latency.reference import LONGER, PRODUCTS, AnchorBackend, anchor_name, calls_of, in_turn
from plugins.measures.latency.steady import percentiles
from plugins.measures.latency.step import step


class Diary(Encoder):
    """Notes what is asked of it, and when."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def upload(self, batch: Array | Tokens, tower: Tower) -> object:
        """First stage."""
        self.asked.append("upload")
        return batch

    def forward(self, batch: object, tower: Tower) -> object:
        """Returns before a device has finished."""
        self.asked.append("forward")
        return batch

    def download(self, embedding: object) -> Array:
        """Waits for it."""
        self.asked.append("download")
        return np.zeros((1, 4), np.float32)

    def restore_settings(self) -> None:
        """Process-wide settings."""
        self.asked.append("restore_settings")


def test_a_timed_call_ends_on_the_host() -> None:
    """Hole 13: what is timed is host to host, so the device has finished; the encoder's settings come back untimed, before."""
    diary = Diary()
    assert calls_of(diary, in_turn([np.zeros((1, 3, 4, 4), np.float32)]), "image")(1) > 0
    assert diary.asked == ["restore_settings", *["upload", "forward", "download"] * LONGER]


def test_a_call_takes_the_next_input() -> None:
    """Those that are given, in their order."""
    seen: list[float] = []
    diary = Diary()
    diary.upload = lambda batch, tower: seen.append(float(batch[0, 0]))  # type: ignore[method-assign]
    calls_of(diary, in_turn([np.full((1, 2), value, np.float32) for value in (1, 2, 3)]), "text")(3)
    assert seen[:6] == [1, 2, 3, 1, 2, 3]


class Clock:
    """Time that passes only when a simulated call takes it."""

    def __init__(self, seed: int) -> None:
        self.rng, self.now = np.random.default_rng(seed), 0.0

    def perf_counter(self) -> float:
        """Seconds."""
        return self.now

    def passes(self, seconds: float) -> None:
        """A call takes so long."""
        self.now += seconds

    def calls(self, seconds: float) -> Block:
        """Blocks on a shared host: 3 % of noise, and one block in ten meets a neighbour and takes up to half as long again."""

        def block(calls: int) -> float:
            neighbour = self.rng.uniform(0, 0.5) if self.rng.random() < 0.1 else 0.0
            found = seconds * float(np.exp(self.rng.normal(0, 0.03) + neighbour))
            self.now += calls * found
            return found

        return block


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """In place of the real one."""
    clock = Clock(0)
    monkeypatch.setattr("time.perf_counter", clock.perf_counter)
    return clock


def test_interrupted_calls_do_not_count(clock: Clock) -> None:
    """Holes 15 and 16: half of the calls wait for a neighbour, and the block says how long the others take."""
    takes = cycle((0.03, 0.001))
    assert timed(lambda: clock.passes(next(takes)))(5) == pytest.approx(0.001)


def test_the_references_own_anchor_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many products a call, whatever the input, and a row of nothing."""
    products: list[object] = []
    monkeypatch.setattr(np, "matmul", lambda left, right, out: products.append(out))
    found = AnchorBackend().load(SimpleNamespace(), "fp32", "cpu").encode(np.zeros((1, 3, 4, 4), np.float32), "image")  # type: ignore[arg-type]
    assert len(products) == PRODUCTS and found.shape == (1, 1)
    assert f"{PRODUCTS} " in anchor_name("cpu") and anchor_name("tpu") == anchor_name("cpu")


def verdicts(monkeypatch: pytest.MonkeyPatch, slower: float, limit: Limit, trials: int) -> list[str]:
    """Of so many decisions about code that is `slower` by a known share, 2 simulated seconds each."""
    found: list[str] = []
    for seed in range(trials):
        clock = Clock(seed)
        monkeypatch.setattr(decision, "time", SimpleNamespace(perf_counter=clock.perf_counter))
        ours, other = clock.calls(0.003 * (1 + slower)), clock.calls(0.003)
        found.append(decide(ours, other, limit, 2.0, clock.rng).verdict)
    return found


def test_false_alarms_stay_under_the_stated_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal code, nothing allowed: at most 5 in 100 fail (250 trials; 22 failures or more have a chance of 1 in 100)."""
    found = verdicts(monkeypatch, 0.0, Limit(0.0, false_alarms=0.05), 250)
    assert found.count("fail") < 22, found.count("fail")


def test_a_slowdown_beyond_the_limit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """10 % slower where 2 % is allowed fails nearly always; 1 % slower never, at the rate of a whole matrix."""
    matrix = Limit(0.02, false_alarms=0.01, cells=36)
    assert verdicts(monkeypatch, 0.10, matrix, 60).count("fail") >= 55
    assert verdicts(monkeypatch, 0.01, matrix, 60).count("fail") == 0


def test_more_comparisons_ask_for_more() -> None:
    """The rate is that of the whole run; and no interval claims a confidence that its number of pairs cannot give."""
    one, many = Limit(0.02, cells=1), Limit(0.02, cells=100)
    assert many.confidence > one.confidence
    assert 1 - many.confidence == pytest.approx((1 - one.confidence) / 100)
    assert all(2.0 ** (1 - fewest(limit.confidence)) <= 1 - limit.confidence for limit in (one, many))


def test_the_medians_interval_covers() -> None:
    """95 % of intervals of the median of skewed samples hold the true median."""
    rng, held = np.random.default_rng(1), 0
    for _ in range(500):
        low, high = median_interval(rng.lognormal(0, 1, 41), 0.95)
        held += low <= 1.0 <= high
    assert held >= 465
    assert median_interval(np.array([3.0, 1.0, 2.0, 5.0, 4.0]), 0.95) == (1, 5)  # five signs that agree are a chance of 1 in 16
    assert percentiles(np.array([0.001]))["p90"] == pytest.approx(1.0)


def test_trend_finds_the_step_and_only_a_step() -> None:
    """Eight runs on one level, six 10 % above it: the step is at the ninth, with its file; noise alone has none."""
    rng = np.random.default_rng(2)
    levels = [0.6] * 8 + [0.66] * 6
    ratios = [level * float(np.exp(rng.normal(0, 0.01))) for level in levels]
    assert step(ratios) == 8
    runs = [Stored("0001_x.json", f"2026-01-{i:02}", {}, "abc", {"ratio": ratio}) for i, ratio in enumerate(ratios, 1)]
    found = trend(runs[:-1], ratios[-1])
    assert found["runs"] == 14 and found["step"]["change"] == pytest.approx(0.1, abs=0.02)
    alarms = sum(step(np.exp(rng.normal(0, 0.01, 14)).tolist()) is not None for _ in range(200))
    assert alarms < 20
    assert step([1.0] * 5) is None


def test_limits_by_cell(tmp_path: Path) -> None:
    """Hole 12: each id has its own limit, a fraction of a percent if need be; the repository's file is valid."""
    file = tmp_path / "latency.toml"
    head = "false_alarms = 0.01\nslowdown = 0.05\nbetween_runs = 0.01\n"
    file.write_text(head + '[[cells]]\npattern = "*-tensorrt-*"\nslowdown = 0.0025\nwhy = "an engine is steady"\n')
    limits = load_limits(file)
    assert limits.of("scenes-s-tensorrt-fp16-cuda") == 0.0025
    assert limits.of("scenes-s-torch-eager-fp32-cpu") == 0.05
    assert 0 < load_limits(FILE).false_alarms <= 0.01


WRONG = {
    "false_alarms = 0.01\nslowdown = '5 %'": "slowdown is '5 %', expected a number",
    "slowdown = 0.05\nfalse_alarms = 0.01": "between_runs is None, expected a number",
    "slowdown = 5e": "is not TOML",
    "slow = 1": "unknown entry 'slow'",
    "false_alarms = 0.01\nslowdown = 0.05\nbetween_runs = 0.01\n[[cells]]\npattern = '*'\nslowdown = 0.1": "none of them empty",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_limit_file_is_one_sentence(text: str, tmp_path: Path) -> None:
    """What was found, what was expected, which file."""
    (tmp_path / "latency.toml").write_text(text)
    with pytest.raises(BadInput) as error:
        load_limits(tmp_path / "latency.toml")
    assert WRONG[text] in str(error.value) and "latency.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_the_machines_key_is_what_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holes 9 and 10: same key twice, no clock in it; other threads or a forced processor: another, differences named."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = machine()
    assert found == machine() and "pytest" not in found["packages"] and "numpy" in found["packages"]
    assert {"cpu", "cores", "gpu", "packages"} <= set(found)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert machine()["key"] != found["key"]
    assert differences(machine(), found) == ["threads.OMP_NUM_THREADS absent → 7"]
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert "forced.ATEN_CPU_CAPABILITY absent → avx2" in differences(machine(), found)
