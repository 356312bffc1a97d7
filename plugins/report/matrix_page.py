"""`--matrix-page FILE` writes a Markdown page with the state and reason of every backend, precision and device."""

import re
from pathlib import Path

import pytest

from fixtures.errors import Unavailable
from fixtures.machine.devices import DEVICES
from fixtures.machine.versions import require_usable
from fixtures.models import model_id
from fixtures.registry import backends, preprocessors
from fixtures.storage.atomic import write_text
from fixtures.truth import REFERENCE
from plugins.report.form import Report, Row
from plugins.report.layout import table
from plugins.report.rows import RESULTS, report_of
from plugins.run.write_failures import noted

ABSENT = {"cuda": "this machine has no CUDA device", "mps": "this machine has no Apple GPU"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --matrix-page."""
    group = parser.getgroup("clip-conformance")
    group.addoption("--matrix-page", type=Path, metavar="FILE", help="write the state of every backend as Markdown")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the page if cells ran."""
    target: Path | None = session.config.getoption("--matrix-page")
    rows = session.config.stash[RESULTS].rows()
    if target and rows:
        with noted(session.config, "matrix page"):
            write_text(target, page(report_of(session.config, rows)))


def page(report: Report) -> str:
    """The page, made from report.json; a backend's state is that of its cell with the reference preprocessor."""
    reasons: list[str] = []
    run, machine, model, rows = report["run"], report["environment"], report.get("model"), report["cells"]
    encoders = [
        (
            name,
            precision,
            backend.documents.get(precision, ""),
            *(_state(rows, name, precision, REFERENCE, device, reasons) for device in DEVICES),
        )
        for name, backend in backends().items()
        for precision in backend.precisions
    ]
    pixels = [(name, _state(rows, "torch-eager", "fp32", name, "cpu", reasons)) for name in preprocessors()]
    command = re.sub(r"(?<![\w.])/\S*/", "", run["command"])  # no folders: others read the page
    lines = [
        f"# Matrix of {model_id(model['name'], model['pretrained']) if model else 'a run that loaded no model'}",
        "",
        f"Made by `{command}` at commit {run['commit']}, {run['started'][:10]}, on {machine['cpu']}, {machine['cores']} cores, "
        f"GPU {machine['gpu']}. A backend's state is that of its cell with `{REFERENCE}`; \\[n\\] refers to the reasons below.",
        "",
        table(("backend", "precision", "in the documents", *DEVICES), encoders),
        table(("preprocessor", "with torch-eager fp32 on the CPU"), pixels),
        *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1)),
    ]
    return "\n".join(lines) + "\n"


def _state(rows: list[Row], backend: str, precision: str, name: str, device: str, reasons: list[str]) -> str:
    chosen = backends()[backend]
    if not chosen.offers(precision, device):
        return f"– {_reference(chosen.nowhere(), reasons)}".rstrip() if device in chosen.devices else "–"
    wanted = (backend, precision, name, device)
    for row in rows:
        if (row["backend"], row["precision"], row.get("preprocessor"), row["device"]) == wanted:
            return f"{row['verdict']} {_reference(row['reason'], reasons)}".rstrip()
    return f"not run {_reference(_absence(backend, precision, device), reasons)}".rstrip()


def _reference(why: str, reasons: list[str]) -> str:
    """The reason's number in brackets; empty without a reason."""
    if not why:
        return ""
    if why not in reasons:
        reasons.append(why)
    return f"\\[{reasons.index(why) + 1}\\]"


def _absence(backend: str, precision: str, device: str) -> str:
    """Why a cell was not part of the run: a missing package or a refusal first, then the device."""
    try:
        require_usable(backends()[backend], precision, device)
    except Unavailable as reason:
        return str(reason)
    return ABSENT.get(device, "it was not selected")
