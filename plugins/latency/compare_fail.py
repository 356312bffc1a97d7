"""--benchmark-compare-fail, in addition to the gate: fails the slower test, where pytest-benchmark ends with a traceback."""

from collections.abc import Generator

import pytest

from plugins.cells.promises import reproduce
from plugins.latency.gate import GATE


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Evaluate each of the user's expressions on a test's statistics and on its newest stored ones."""
    result = yield
    for file, found in pyfuncitem.config.stash[GATE].benchmarks.regressions(pyfuncitem):
        lines = (f"--benchmark-compare-fail: {found}", f"baseline: {file}", f"again: {reproduce(pyfuncitem)}")
        pytest.fail("\n".join(lines), pytrace=False)
    return result
