"""A plug-in for inner runs: adds the faults that $PLANT names to the matrix, and records which promises each one broke."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from fixtures.capability import Backend
from fixtures.registry import backends, preprocessors
from suites.studies.faults.table import PLANTED

NAME = re.compile(r"\d\d\.[a-z0-9-]+\.\d+")
BROKEN: dict[str, list[tuple[str, str]]] = {}  # by name: promise and what its message says


def pytest_configure() -> None:
    """Plant; a faulty preprocessor claims to be exact, so it is judged as a user's that says so."""
    wanted = os.environ["PLANT"].split(",")
    for fault in PLANTED:
        for name, (_, strength) in fault.names().items():
            if name in wanted:
                planted = fault.plant(name, strength)
                if isinstance(planted, Backend):
                    backends()[name] = planted
                else:
                    preprocessors()[name] = planted
    patch = pytest.MonkeyPatch()
    if "PRETEND_CUDA" in os.environ:
        patch.setattr("plugins.cells.matrix.cuda_count", lambda: 1)
        patch.setattr("plugins.subjects.require_usable", lambda backend, precision, device: None)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Record the line of the message after the promise's sentence."""
    found = NAME.search(report.nodeid)
    if report.failed and found:
        promise = dict(report.user_properties).get("promise", "")
        says = [line for line in report.longreprtext.strip().splitlines() if not line.startswith(("in ", "again: "))]
        BROKEN.setdefault(found[0], []).append((str(promise).split(" ")[0], (says[1:] or says or [""])[0]))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write all results to $FOUND, with the largest share of a budget that each fault used."""
    from plugins.report.rows import RESULTS

    results = session.config.stash[RESULTS]
    used: dict[str, float] = {}
    for about, measures in results.measures.items():
        name = NAME.search(about)
        if name:
            used[name[0]] = max([used.get(name[0], 0.0), *_shares(measures)])
    Path(os.environ["FOUND"]).write_text(json.dumps({"broken": BROKEN, "used": used, "exit": int(session.exitstatus)}))


def _shares(measures: Any) -> list[float]:
    if not isinstance(measures, dict):
        return []
    return (
        [measures["share_of_tolerance"]]
        if "share_of_tolerance" in measures
        else [s for m in measures.values() for s in _shares(m)]
    )
