"""A GPU of which no cell ran fails the run: with an old driver, every CUDA cell is skipped, and the run would be green."""

from collections import Counter

import pytest

from fixtures.machine.devices import cuda_count
from plugins.report.form import Row
from plugins.report.rows import RESULTS


def sentence(rows: list[Row]) -> str:
    """What was skipped and why; empty without a GPU, without CUDA cells, or if one of them ran."""
    cuda = [row for row in rows if row["device"] == "cuda"]
    if not cuda or any(row["verdict"] != "skipped" for row in cuda) or not cuda_count():
        return ""
    reason, n = Counter(row["reason"] for row in cuda).most_common(1)[0]
    return (
        f"there is a GPU, and none of its {len(cuda)} cells ran; {n} of them because: {reason}; "
        "remove the cause, or leave the GPU out: --device cpu"
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run."""
    if session.exitstatus == pytest.ExitCode.OK and sentence(session.config.stash[RESULTS].rows()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say so, in red."""
    if text := sentence(config.stash[RESULTS].rows()):
        terminalreporter.write_line(text, red=True, bold=True)
