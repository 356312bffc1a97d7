"""Collects the results of all tests and writes one row for each cell: report.json, and the table at the end."""

import json
import shlex
from collections import defaultdict
from collections.abc import Callable
from typing import Any, cast

import pytest

from fixtures.capability import TOWERS
from fixtures.cells import Cell, EncoderKey
from fixtures.storage.atomic import write_text
from plugins.cells.fixtures import subjects_of
from plugins.cells.matrix import subject, tower_of
from plugins.cells.promises import promise, reproduce
from plugins.report.form import Judged, Loaded, Report, Row, Run
from plugins.report.table import summary
from plugins.run import environment
from plugins.run.write_failures import NOT_WRITTEN, noted

Record = Callable[[str, Any], None]


class Results:
    """Outcomes and measures by subject: a cell, an encoder or a preprocessor."""

    def __init__(self) -> None:
        self.started = environment.now()
        self.cells: dict[str, Cell] = {}
        self.encoders: dict[str, EncoderKey] = {}
        self.outcomes: dict[str, list[tuple[str, str, str]]] = defaultdict(list)  # promise ("E2:text"), outcome, reason
        self.measures: dict[str, dict[str, Any]] = defaultdict(dict)
        self.order: list[str] = []  # of all subjects, where tests run in another order than rows have

    def note(self, about: Cell | EncoderKey | str) -> None:
        """Note that a test of this subject has finished, so the subject has a row."""
        if isinstance(about, Cell):
            self.cells.setdefault(str(about), about)
        if isinstance(about, EncoderKey):
            self.encoders.setdefault(str(about), about)

    def rows(self) -> list[Row]:
        """One row for each cell; an encoder without a selected cell has a row of its own."""
        in_cells = {str(cell.encoder) for cell in self.cells.values()}
        alone = [key for name, key in self.encoders.items() if name not in in_cells]
        place = {name: n for n, name in enumerate(dict.fromkeys(self.order))}
        cells = sorted(self.cells.values(), key=lambda cell: place.get(str(cell), len(place)))
        return [self._row(cell.encoder, cell) for cell in cells] + [self._row(key, None) for key in alone]

    def _row(self, encoder: EncoderKey, cell: Cell | None) -> Row:
        about = (str(cell), str(encoder), cell.preprocessor, encoder.model) if cell else (str(encoder), encoder.model)
        found = [outcome for key in about for outcome in self.outcomes[key]]
        own = about[: 2 if cell else 1]  # not its pixels alone, nor its model
        ran = any(o in ("passed", "xfailed") for key in own for _, o, _ in self.outcomes[key])
        row: dict[str, Any] = {
            "id": about[0],
            "backend": encoder.backend,
            "precision": encoder.precision,
            **({"preprocessor": cell.preprocessor} if cell else {}),
            "device": encoder.device,
            **({"policy": {"base": encoder.base, "keep": list(encoder.policy.keep)}} if encoder.policy else {}),
            **judged(found, ran),
        }
        for key in reversed(about):
            merge(row, self.measures[key])
        return cast("Row", row)  # a selftest checks the form of recorded values


def judged(found: list[tuple[str, str, str]], ran: bool) -> Judged:
    """A cell's verdict from its tests' outcomes, with the reasons; `ran`: the cell itself was compared."""
    failed = [(promise.split(":")[0], why) for promise, outcome, why in found if outcome == "failed"]
    expected = [(promise, why) for promise, outcome, why in found if outcome == "xfailed"]
    skipped = list(dict.fromkeys(why for _, outcome, why in found if outcome == "skipped"))
    row: Judged
    if failed:
        row = {"verdict": "fail", "reason": failed[0][1], "broken_promises": sorted({promise for promise, _ in failed})}
    elif not ran:
        return {"verdict": "skipped", "reason": skipped[0] if skipped else "nothing was compared", "broken_promises": []}
    elif expected:
        reasons = {why: both_towers({p for p, other in expected if other == why}) for _, why in expected}
        broken = sorted({promise.split(":")[0] for promise, _ in expected})
        row = {"verdict": "expected-failure", "reason": "; ".join(reasons), "reasons": reasons, "broken_promises": broken}
    else:
        row = {"verdict": "pass", "reason": "", "broken_promises": []}
    if skipped:
        row["not_judged"] = skipped
    return row


def both_towers(broken: set[str]) -> list[str]:
    """Promises in order, with the tower ("E2:text") if they broke in one tower only."""
    names = {name: [f"{name}:{tower}" for tower in TOWERS] for name in {label.split(":")[0] for label in broken}}
    return sorted(label for name, both in names.items() for label in ([name] if broken >= {*both} else broken & {name, *both}))


def merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    """Merge `more` into `into`, including nested dictionaries."""
    for key, value in more.items():
        if isinstance(value, dict):
            merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


RESULTS = pytest.StashKey[Results]()


def pytest_configure(config: pytest.Config) -> None:
    """Create the session's results."""
    config.stash[RESULTS] = Results()


@pytest.fixture
def record(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Record:
    """`record("drift.image", {...})` adds a measure of this test's subject to its rows of the report."""
    about = str(subject(request.node))

    def add(path: str, value: Any) -> None:
        for key in reversed(path.split(".")):
            value = {key: value}
        merge(pytestconfig.stash[RESULTS].measures[about], value)

    return add


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Note the outcome of each test of the matrix."""
    report: pytest.TestReport = yield
    about = subject(item)
    if about is None or (report.when != "call" and report.outcome == "passed") or report.when == "teardown":
        return report
    results = item.config.stash[RESULTS]
    results.note(about)
    name, tower = promise(item)[0], tower_of(item)
    results.outcomes[str(about)].append((f"{name}:{tower}" if name and tower else name or item.name, *_outcome(report)))
    report.user_properties.append(("promise", " ".join(promise(item))))
    if report.failed and "again: pytest" not in report.longreprtext:
        report.sections.append(("again", reproduce(item)))
    return report


def _outcome(report: pytest.TestReport) -> tuple[str, str]:
    if hasattr(report, "wasxfail"):
        # Strict ones that pass are reported as failed, without this attribute; others may pass.
        return ("xfailed", str(report.wasxfail)) if report.skipped else ("passed", "")
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        return "skipped", reason.removeprefix("Skipped: ")
    return report.outcome, report.longreprtext.strip().splitlines()[0] if report.failed else ""


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write report.json if cells ran; fail the run for cells that compared nothing, and for skips under --strict-cells."""
    config = session.config
    rows = config.stash[RESULTS].rows()
    if not rows:
        return
    ran = [row for row in rows if row["verdict"] != "skipped"]
    if session.exitstatus == pytest.ExitCode.OK and (not ran or (config.getoption("--strict-cells") and len(ran) < len(rows))):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    with noted(config, "report"):
        write_text(config.getoption("--report"), json.dumps(report_of(config, rows), indent=1, ensure_ascii=False))


def report_of(config: pytest.Config, rows: list[Row]) -> Report:
    """The form that report.json contains."""
    run: Run = {
        "started": config.stash[RESULTS].started,
        "commit": environment.commit(),
        "strict": config.getoption("--strict-cells"),
        "command": shlex.join(["pytest", *map(str, config.invocation_params.args)]),
        "seed": config.option.seed,
    }
    loaded = _model(config) if any(row["verdict"] != "skipped" for row in rows) else {}
    report: Report = {"schema": 1, "run": run, "environment": environment.fingerprint(), **loaded, "cells": rows}
    return report


def _model(config: pytest.Config) -> Loaded:
    model = subjects_of(config).model
    return {
        "model": {
            "name": model.name,
            "pretrained": model.pretrained,
            "weights_sha256": model.weights_sha256,
            "parameters": model.parameters,
            "embed_dim": model.embed_dim,
        }
    }


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table, then the path of the report."""
    rows = config.stash[RESULTS].rows()
    if rows:
        summary(terminalreporter, rows)
        if "report" not in config.stash[NOT_WRITTEN]:
            terminalreporter.write_line(f"report: {config.getoption('--report')}")
