"""pytest-benchmark's own measurement and its own decision, without the pytest run around them."""

import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from plugins.measures.latency.paired import Call

METHODS = ("mean:5%", "median:5%", "min:5%")  # as they stand after --benchmark-compare-fail=


def measured(call: Call, seconds: float) -> dict[str, float]:
    """Statistics of one benchmark(call) under its default options, but for --benchmark-max-time."""
    from pytest_benchmark.fixture import BenchmarkFixture
    from pytest_benchmark.logger import Logger
    from pytest_benchmark.utils import NameWrapper

    fixture = BenchmarkFixture(
        SimpleNamespace(name="cell", nodeid="cell"),
        disable_gc=False,
        timer=NameWrapper(time.perf_counter),
        min_rounds=5,
        min_time=0.000005,
        max_time=seconds,
        precision=None,
        confidence=None,
        warmup=False,
        warmup_iterations=100000,
        calibration_precision=10,
        add_stats=lambda stats: None,
        logger=Logger(Logger.QUIET),
        warner=None,
        disabled=False,
        cprofile=False,
        cprofile_loops=None,
        cprofile_dump=None,
    )
    fixture(call)
    return dict(fixture.stats.stats.as_dict())


def alarms(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, bool]:
    """Which of METHODS call `now` a regression of `before`."""
    from pytest_benchmark.utils import parse_compare_fail

    return {method: parse_compare_fail(method).fails(now, before) is not None for method in METHODS}
