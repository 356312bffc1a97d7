"""`--soak SECONDS`: calls each encoder for that long, and says how rare a fault it would have found."""

import pytest

from fixtures.capability import TOWERS
from plugins.cells.on_request import on_request
from plugins.report.layout import columns
from plugins.report.rows import RESULTS

SUITE = "suites/embeddings/test_soak.py"
HEADER = ("encoder", "tower", "calls", "seconds", "would find a wrong call in")


def seconds(text: str) -> float:
    """A number of seconds above 0."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise pytest.UsageError(f"--soak is '{text}', expected a number of seconds above 0")
    return found


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --soak."""
    text = "call each tower of each encoder for so long, and compare every vector (E18)"
    parser.getgroup("clip-conformance").addoption("--soak", type=seconds, metavar="SECONDS", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """The soak is collected only if a time is given."""
    on_request(config, SUITE, lambda config: bool(config.getoption("--soak")), "calls encoders for a time: add --soak=SECONDS")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print one line for each encoder and tower."""
    found = {
        (str(key), tower): figures[tower]
        for name, key in config.stash[RESULTS].encoders.items()
        for tower in TOWERS
        if tower in (figures := config.stash[RESULTS].measures[name].get("soak", {}))
    }
    if not found:
        return
    terminalreporter.section("soak")
    lines = [
        (*about, f"{each['calls']:,}", f"{each['seconds']:.0f}", f"{each['finds_1_in']:,.0f}") for about, each in found.items()
    ]
    for text in columns([HEADER, *lines], right=(2, 3, 4)):
        terminalreporter.write_line(text)
    terminalreporter.write_line("would find: with 95 % probability, if the calls that go wrong are spread at random")
