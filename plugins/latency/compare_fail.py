"""--benchmark-compare-fail, beside the gate: the slower test fails, where pytest-benchmark ends in a traceback."""

from collections.abc import Generator

import pytest

from plugins.cells.promises import reproduce
from plugins.latency.gate import GATE


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Each of the user's expressions on a test's statistics and on its own newest stored ones."""
    result = yield
    for file, found in pyfuncitem.config.stash[GATE].benchmarks.regressions(pyfuncitem):
        lines = (f"--benchmark-compare-fail: {found}", f"baseline: {file}", f"again: {reproduce(pyfuncitem)}")
        pytest.fail("\n".join(lines), pytrace=False)
    return result
