"""Comparisons that could not have seen what they are for: the run is not green, and has an exit code of its own."""

from collections.abc import Generator

import pytest

from plugins.latency.gate import UNCLEAR

EXIT = 8  # pytest and its plug-ins use 0 to 6


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --allow-inconclusive."""
    text = f"exit with 0 instead of {EXIT} where comparisons of latency were inconclusive and nothing else failed"
    parser.getgroup("clip-conformance").addoption("--allow-inconclusive", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is unclear yet."""
    config.stash[UNCLEAR] = []


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Change the exit code of a run in which nothing else failed."""
    unclear, allowed = session.config.stash[UNCLEAR], session.config.getoption("--allow-inconclusive")
    if unclear and not allowed and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = EXIT
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say it in red, with what would help."""
    unclear, allowed = config.stash[UNCLEAR], config.getoption("--allow-inconclusive")
    if unclear:
        of = f"{len(unclear)} comparison{'' if len(unclear) == 1 else 's'} of latency"
        budget = config.getoption("--latency-budget") or 0
        code = "allowed by --allow-inconclusive" if allowed else f"exit code {EXIT}, unless --allow-inconclusive"
        helps = f"--latency-budget={4 * budget:g} (now {budget:g} s), fewer programs beside it, or cores of its own (taskset)"
        sentence = f"{of} could not have seen the slowdown that must fail: what helps is {helps}; {code}"
        terminalreporter.write_line(sentence, red=not allowed, yellow=allowed)
