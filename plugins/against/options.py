"""`--against` and `--against-python`: how they change a run, and the table of its results."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fixtures.capability import TOWERS
from fixtures.cells import EncoderKey
from plugins.against.side_by_side import ANSWER_S, SideBySide
from plugins.against.sides import Choice, Code
from plugins.cells.matrix import subject
from plugins.cells.on_request import on_request
from plugins.cells.promises import promise
from plugins.golden.verified import Golden
from plugins.report.form import Row
from plugins.report.layout import columns
from plugins.report.rows import RESULTS
from plugins.subjects import Subjects

SUITE = "suites/against"
LATENCY = "A2"
HEADER = ("encoder", "tower", "drift between sides", "ratio", "interval", "would see", "verdict")
COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options: what to compare with, and how long to wait for a worker."""
    group = parser.getgroup("clip-conformance")
    group.addoption("--against", metavar="REV", help="compare with a git revision of the backend's repository, side by side")
    group.addoption("--against-python", type=Path, metavar="PYTHON", help="run the other side in this interpreter")
    group.addoption("--against-repository", type=Path, metavar="DIR", help="where REV is [the repository the backend is in]")
    group.addoption(
        "--against-limit", type=float, default=ANSWER_S, metavar="S", help="longest wait for a worker's answer [%(default)s s]"
    )


def asked(config: pytest.Config) -> bool:
    """True if --against or --against-python names the other side."""
    return bool(config.getoption("--against") or config.getoption("--against-python"))


def pytest_configure(config: pytest.Config) -> None:
    """The suite is collected only if there is another side to compare with."""
    on_request(config, SUITE, asked, "compares two versions: expected --against=REVISION, --against-python=PYTHON or both")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """End the run if the other side is an unknown revision or interpreter."""
    chosen = [item for item in items if item.path.is_relative_to(config.rootpath / SUITE)]
    if not chosen or not asked(config) or config.getoption("--promises"):
        return
    with closing(Choice(config)) as choice:
        for name in dict.fromkeys(key.backend for item in chosen if isinstance(key := subject(item), EncoderKey)):
            choice.check(Code.of(name))


@pytest.fixture(scope="session")
def side_by_side(subjects: Subjects, golden: Golden, request: pytest.FixtureRequest) -> Iterator[SideBySide]:
    """Both sides of every encoder, one encoder at a time; no worker outlives the session.

    The selected latency comparisons share the run's false-alarm rate.
    """
    comparisons = sum(promise(item)[0] == LATENCY for item in request.session.items)
    with (
        closing(Choice(request.config)) as choice,
        closing(SideBySide(request.config, subjects, golden, choice, comparisons)) as found,
    ):
        yield found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print one line for each encoder and tower."""
    rows = [row for row in config.stash[RESULTS].rows() if "against" in row]
    if not rows:
        return
    terminalreporter.section("side by side")
    lines = [HEADER, *(line for row in rows for line in _lines(row))]
    for text, line in zip(columns(lines), lines, strict=True):
        terminalreporter.write_line(text, **{COLOURS.get(line[-1], "bold"): True})
    terminalreporter.write_line(
        "drift between sides: largest cosine distance of an input, and the largest share of a tolerance; ratio: ours to "
        "theirs; would see: the smallest slowdown that would have failed with 95 % chance"
    )
    packages = {f"{name} {change}" for row in rows for name, change in row["against"].get("packages", {}).items()}
    for note in [*dict.fromkeys(row["against"]["what"] for row in rows), *sorted(packages)]:
        terminalreporter.write_line(f"  {note}")


def _lines(row: Row) -> Iterator[tuple[str, ...]]:
    found = row["against"]
    for tower in TOWERS:
        drift, latency = found.get("accuracy", {}).get(tower), found.get("latency", {}).get(tower)
        if drift or latency:
            yield (
                row["id"],
                tower,
                f"{drift['cosine_distance']:.1e} {drift['share_of_tolerance']:5.0%}" if drift else "-",
                f"{latency['ratio']:.4f}" if latency else "-",
                "[{:.4f}, {:.4f}]".format(*latency["interval"]) if latency else "-",
                f"{latency['would_have_seen']:+.1%}" if latency else "-",
                "fail" if drift and drift["share_of_tolerance"] > 1 else latency["verdict"] if latency else row["verdict"],
            )
