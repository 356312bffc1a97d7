"""Connects the gate to a pytest session: when history is read, what is stored, and the summary at the end."""

from collections.abc import Generator, Mapping

import pytest

from fixtures.cells import Cell, EncoderKey
from fixtures.machine.devices import DEVICES
from fixtures.registry import backends
from plugins.cells.matrix import model_of, subject
from plugins.latency.gate import GATE, Gate
from plugins.latency.timings import Timings
from plugins.report.rows import RESULTS
from plugins.run.bad_input import one_sentence

TIMINGS = pytest.StashKey[Timings]()
LAST_FILES = 20  # all of whose cells should still exist


@pytest.fixture(scope="session")
def gate(pytestconfig: pytest.Config) -> Gate:
    """The gate of this session."""
    return pytestconfig.stash[GATE]


@pytest.fixture
def percentiles_then(request: pytest.FixtureRequest) -> dict[str, object]:
    """p50 to p99 in milliseconds of this test's newest stored run, and its file; empty if nothing is compared."""
    for file, stored in request.config.stash[GATE].benchmarks.shown_beside(request.node.nodeid):
        info = stored.get("extra_info", {})
        if "p90" in info:
            return {**{name: info[name] for name in ("p50", "p90", "p95", "p99")}, "file": file}
    return {}


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """With --benchmark-compare: show each test with its newest stored run, and store this run."""
    gate = session.config.stash[GATE]
    gate.benchmarks.prepare()
    if gate.asked:
        with one_sentence():
            gate.benchmarks.show_beside(gate.history.newest_benchmarks())
            _ = gate.history.candidates, gate.limits  # missing or invalid files end the session now


def pytest_collection_finish(session: pytest.Session) -> None:
    """Divide the run's false-alarm rate among all the comparisons that it will make, and fork while nothing heavy has run."""
    config, comparisons = session.config, len(_gated(session))
    gate = config.stash[GATE]
    gate.comparisons = max(1, comparisons)
    timed = any("timings" in item.fixturenames for item in session.items if isinstance(item, pytest.Function))
    fresh = gate.stores and timed and not config.option.collectonly and not config.getoption("benchmark_disable")
    config.stash[TIMINGS] = timings = Timings(config, fresh)
    config.add_cleanup(timings.close)


@pytest.fixture(scope="session")
def timings(pytestconfig: pytest.Config) -> Timings:
    """How this run times encoders."""
    return pytestconfig.stash[TIMINGS]


def _gated(session: pytest.Session) -> set[tuple[str, str]]:
    """The cell and tower of every selected comparison."""
    items = [item for item in session.items if isinstance(item, pytest.Function) and "gate" in item.fixturenames]
    return {(str(subject(item)), str(item.callspec.params["tower"])) for item in items}


@pytest.hookimpl(wrapper=True, tryfirst=True)  # outside pytest-benchmark's wrapper, which stores the run
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Do not store cells with broken promises; fail strict runs without a baseline, and a comparison that compared nothing."""
    config = session.config
    gate, outcomes = config.stash[GATE], config.stash[RESULTS].outcomes
    broken = {about for about, found in outcomes.items() if any(outcome == "failed" for _, outcome, _ in found)}
    gate.benchmarks.leave_out(lambda params: bool(_names(params) & broken))
    if gate.asked and not config.option.collectonly:
        missing = gate.notes.not_compared = _not_compared(session, gate)
        vacuous = not gate.notes.measured
        strict = config.getoption("--strict-cells") and (missing or gate.notes.no_baseline)
        if session.exitstatus == pytest.ExitCode.OK and (vacuous or strict):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return (yield)


def _names(params: Mapping[str, object]) -> set[str]:
    """The cell and the encoder of a benchmark."""
    about = params.get("cell") or params.get("encoder_key")
    return {str(about), str(about.encoder)} if isinstance(about, Cell) else {str(about)}


def _not_compared(session: pytest.Session, gate: Gate) -> list[str]:
    """Note stored cells that no longer exist, and selected cells with a baseline that were not measured."""
    model = model_of(session.config)
    exist = {
        str(EncoderKey(model, backend.name, precision, device))
        for backend in backends().values()
        for precision in backend.precisions
        for device in DEVICES
        if backend.offers(precision, device)
    }
    files = list(dict.fromkeys(stored.file for stored in gate.history.candidates))[-LAST_FILES:]
    stored = {s.name[:2]: s.file for s in gate.history.candidates if s.file in files and s.name[0].startswith(f"{model}-")}
    selected = _gated(session)
    lines = []
    for (cell, tower), file in sorted(stored.items()):
        if cell not in exist:
            lines.append(f"{cell} {tower}: stored in {file}, but this cell no longer exists (renamed or removed?)")
        elif (cell, tower) in selected and (cell, tower) not in gate.notes.measured:
            lines.append(f"{cell} {tower}: stored in {file}, but not measured in this run")
    return lines


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Print what was and was not compared, and how each cell's level changed."""
    gate = config.stash[GATE]
    ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not config.option.collectonly
    if not ended or not (gate.asked or gate.notes.trends):
        return
    write, notes = terminalreporter.write_line, gate.notes
    terminalreporter.section("latency history")
    for unread in gate.history.unread:
        write(unread, yellow=True)
    for name, elsewhere in notes.no_baseline.items():
        write(f"no baseline for {name[0]} {name[1]}, recorded one{f': {elsewhere}' if elsewhere else ''}", yellow=True)
    for name, sentence in notes.inconclusive.items():
        seen = f"would have seen {notes.seen[name]:+.1%}"
        write(f"inconclusive: {name[0]} {name[1]}: {sentence}; {seen}; --latency-budget gives it longer", yellow=True)
    for line in notes.not_compared:
        write(f"not compared: {line}", yellow=True)
    for name, found in notes.trends.items():
        moved = found.get("step")
        change = f"level changed {moved['change']:+.1%} at {moved['file']}" if moved else "one level"
        write(
            f"trend of {name[0]} {name[1]}: {found['runs']} runs, {min(found['ratios']):.3g} to {max(found['ratios']):.3g} "
            f"× {name[2]}, {change}"
        )
    if gate.asked and not notes.measured:
        write("--benchmark-compare compared nothing: select suites/latency, test_encode_in_alternation", red=True)
    elif gate.asked:
        failed = len(notes.compared) - len(notes.inconclusive) - notes.passed
        write(
            f"{len(notes.compared)} compared with stored runs: {notes.passed} pass, {failed} fail, "
            f"{len(notes.inconclusive)} inconclusive; {len(notes.no_baseline)} without a baseline",
            bold=True,
        )
    if notes.seen:
        least, most = min(notes.seen.values()), max(notes.seen.values())
        widest = max(notes.seen, key=lambda name: notes.seen[name])
        write(
            f"would have seen, with 95 % chance, a slowdown of {least:+.1%} in the clearest comparison, {most:+.1%} in the "
            f"least clear one ({widest[0]} {widest[1]}); report.json has each"
        )
