"""--benchmark-compare-fail, beside the gate: the slower test fails, where pytest-benchmark ends in a traceback."""

from collections.abc import Generator
from typing import Any

import pytest

from plugins.cells.promises import reproduce

CHECKS = pytest.StashKey[list[Any]]()


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Checks are made test by test from here on; at the end there is nothing left to check."""
    benchmarks = session.config._benchmarksession  # type: ignore[attr-defined]
    session.config.stash[CHECKS] = benchmarks.compare_fail or []
    benchmarks.compare_fail = None


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Each of the user's expressions on a test's statistics and on its own newest stored ones."""
    result = yield
    benchmark: Any = pyfuncitem.funcargs.get("benchmark")
    for path, stored in pyfuncitem.config._benchmarksession.compared_mapping.items():  # type: ignore[attr-defined]
        then = stored.get(pyfuncitem.nodeid)
        for check in pyfuncitem.config.stash[CHECKS] if then and getattr(benchmark, "stats", None) else []:
            found = check.fails(benchmark.stats, then["stats"])
            if found:
                lines = (f"--benchmark-compare-fail: {found}", f"baseline: {path}", f"again: {reproduce(pyfuncitem)}")
                pytest.fail("\n".join(lines), pytrace=False)
    return result
