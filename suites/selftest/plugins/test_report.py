"""What a run leaves behind: exit code, report.json, the table."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.registry import backends, preprocessors
from plugins.report.encoders import table_of
from plugins.report.table import summary
from suites.selftest.conftest import BRIEF, Run, start

CELLS = ("--backend", "torch-eager", "--precision", "fp32", "--preprocessor")


class Terminal:
    """Takes what is written, without colours."""

    def __init__(self, verbose: int = 0, width: int = 80) -> None:
        self.lines: list[str] = []
        writer = SimpleNamespace(fullwidth=width)
        self.config = SimpleNamespace(get_verbosity=lambda: verbose, get_terminal_writer=lambda: writer)

    def section(self, title: str) -> None:
        """A heading."""

    def write_line(self, text: str, **colours: bool) -> None:
        """Keep it."""
        self.lines.append(text)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):  # type: ignore[no-untyped-def]
    """One inner run with a good and a known-bad preprocessor; its process and its report."""
    folder = tmp_path_factory.mktemp("report")
    # Benchmarks on: latency belongs to the report.
    timed = ("--benchmark-enable", "--latency-budget=0.5")
    process = start(folder, *CELLS, "original_clip,opencv_based", *BRIEF, *timed)
    return process, json.loads((folder / "report.json").read_text())


def test_exit_code_is_zero_when_only_declared_promises_break(finished) -> None:  # type: ignore[no-untyped-def]
    """The squashing row fails for its reason, and that is expected."""
    process, report = finished
    assert process.returncode == 0, process.stdout[-3000:]
    verdicts = {cell["preprocessor"]: cell["verdict"] for cell in report["cells"]}
    assert verdicts == {"original_clip": "pass", "opencv_based": "expected-failure"}
    bad = next(cell for cell in report["cells"] if cell["preprocessor"] == "opencv_based")
    assert "squashes" in bad["reason"]
    assert {"P2", "P3", "C1"} <= set(bad["broken_promises"])
    assert bad["class"] == "broken"


def test_report_is_complete(finished) -> None:  # type: ignore[no-untyped-def]
    """Every field of the documented schema that these suites measure is there, and none is null."""
    _, report = finished
    assert {"schema", "run", "environment", "model", "cells"} <= set(report)
    assert {"name", "pretrained", "weights_sha256", "parameters", "embed_dim"} <= set(report["model"])
    cell = next(cell for cell in report["cells"] if cell["preprocessor"] == "original_clip")
    assert cell["id"] == "scenes-s-torch-eager-fp32-original_clip-cpu"
    assert cell["class"] == "identical"
    assert {"cosine_distance", "max_abs", "mean_abs", "norm_ratio", "tolerance", "worst_input"} <= set(cell["drift"]["image"])
    assert {"1", "2", "3", "r1", "r5", "r10", "mr"} <= set(cell["retrieval"]["text_to_image"])
    assert {"overlap_at_10", "kendall_tau"} == set(cell["retrieval"]["image_to_image"])
    for tower in ("image", "text"):
        assert {"p50", "p95", "p99", "n", "first_call", "calls_to_steady"} <= set(cell["latency_ms"][tower])
    assert set(cell["stages_ms"]) == {"decode", "preprocess", "host_to_device", "encode", "device_to_host"}
    assert _nulls(report) == [] and _nulls({"a": [{"b": None}]}) == ["/a/0/b"]


def _nulls(value: object, path: str = "") -> list[str]:
    """Where a null stands."""
    if value is None:
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for name, inner in items for found in _nulls(inner, f"{path}/{name}")]


def test_table_shows_every_cell(finished) -> None:  # type: ignore[no-untyped-def]
    """The terminal names the same ids, and counts."""
    process, report = finished
    full = Terminal(verbose=1)
    summary(full, report["cells"])  # type: ignore[arg-type]
    for cell in report["cells"]:
        assert any(line.startswith(cell["id"]) for line in full.lines)
    assert re.search(r"^torch-eager fp32 +x\. +\d+% +\d+% +[\d.]+ [\d.]+ +reference +identical ", process.stdout, re.MULTILINE)
    assert "in the order opencv_based, original_clip: . pass, x expected failure" in process.stdout
    assert "2 of 2 cells ran: 1 expected-failure, 1 pass" in process.stdout


def test_an_encoder_alone_has_a_name_in_the_legend() -> None:
    """Its mark stands after those of the preprocessors."""
    cell: dict[str, Any] = {"backend": "a", "precision": "fp32", "device": "cpu", "verdict": "pass", "preprocessor": "cv"}
    alone = {key: value for key, value in cell.items() if key != "preprocessor"} | {"backend": "b", "verdict": "fail"}
    lines = [text for text, _ in table_of([cell, alone], 120)]  # type: ignore[list-item]
    assert any("in the order cv, encoder alone: . pass" in text for text in lines)


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits(width: int) -> None:
    """All backends and preprocessors at their longest figures; a failing cell colours its encoder's line."""
    names = list(preprocessors())
    row: dict[str, Any] = {
        "drift": {t: {"share_of_tolerance": 9.99, "cosine_distance": {"max": 1e-12}} for t in ("image", "text")}
    }
    row |= {"latency_ms": {t: {"p50": 99.99} for t in ("image", "text")}, "class": "interchangeable"}
    row |= {"latency_ratio": {t: {"ratio": 9.99, "reference": "x"} for t in ("image", "text")}}
    cells: list[Any] = [
        {**row, "backend": backend.name, "precision": precision, "device": "cpu", "preprocessor": name, "verdict": "pass"}
        for backend in backends().values()
        for precision in backend.precisions
        for name in names
    ]
    cells[2]["verdict"] = "fail"
    found = table_of(cells, width)
    assert max(len(line) for line, _ in found) <= width
    strip = "..F" + "." * (len(names) - 3)
    assert strip in found[1][0] and found[1][1] == "fail" and found[2][1] == "pass"
    assert len([line for line, verdict in found if verdict]) == len(cells) / len(names)


def test_a_declared_failure_that_holds_is_reported(run: Run, tiny: list[str]) -> None:
    """Strict: a good preprocessor that declares it squashes fails the run."""
    result = run(
        "-p",
        "suites.selftest.planted.misdeclared_backends",
        "suites/preprocessing",
        "--preprocessor",
        "pessimist",
        *tiny,
        env={"PLANT": "pessimist"},
    )
    assert result.returncode == 1
    assert "XPASS(strict)" in result.stdout


def test_a_possible_failure_that_holds_passes(run: Run, tiny: list[str], tmp_path: Path) -> None:
    """Not strict: what a declaration says may break, and does not, is a pass in the report too."""
    chosen = ("--backend", "torch-eager", "--precision", "fp32", "--preprocessor", "cautious", "-k", "test_end_to_end")
    result = run(
        "-p", "suites.selftest.planted.misdeclared_backends", "suites/embeddings", *chosen, *tiny, env={"PLANT": "cautious"}
    )
    assert result.returncode == 0 and "1 xpassed" in result.stdout
    cell = json.loads((tmp_path / "report.json").read_text())["cells"][0]
    assert (cell["verdict"], cell["reason"]) == ("pass", "")


def test_a_missing_package_costs_its_own_cells(run: Run, tiny: list[str], tmp_path: Path) -> None:
    """The cells are skipped with a reason that names the package and the command; strict mode fails."""
    args = ("-p", "suites.selftest.planted.misdeclared_backends", "suites/embeddings", "--preprocessor", "original_clip", *tiny)
    plain = run(*args, *BRIEF, "--backend", "absent,torch-eager", "--precision", "fp32", env={"PLANT": "absent"})
    assert plain.returncode == 0, plain.stdout[-3000:]
    cells = {c["backend"]: c for c in json.loads((tmp_path / "report.json").read_text())["cells"]}
    assert cells["absent"]["verdict"] == "skipped"
    assert "package 'no_such_package' is not installed: pip install no-such-package" in cells["absent"]["reason"]
    assert cells["torch-eager"]["verdict"] == "pass"
    alone = run(*args, "--backend", "absent", "-k", "test_form", env={"PLANT": "absent"})
    assert alone.returncode == 1, "a run that compared nothing must fail"
    both = ("--backend", "absent,torch-eager", "--precision", "fp32", "-k", "test_form")
    strict = run(*args, *both, "--strict-cells", env={"PLANT": "absent"})
    assert strict.returncode == 1


def test_a_backend_that_cannot_be_built_costs_its_own_cells(run: Run, tiny: list[str], tmp_path: Path) -> None:
    """An exception while loading fails those cells with the exception's own words, and the others go on."""
    result = run(
        "-p",
        "suites.selftest.planted.misdeclared_backends",
        "suites/embeddings",
        "--preprocessor",
        "original_clip",
        *tiny,
        *BRIEF,
        "--backend",
        "crashing,torch-eager",
        "--precision",
        "fp32",
        env={"PLANT": "crashing"},
    )
    assert result.returncode == 1
    assert "could not be built: RuntimeError: no engine for this device" in result.stdout
    cells = {c["backend"]: c["verdict"] for c in json.loads((tmp_path / "report.json").read_text())["cells"]}
    assert cells == {"crashing": "fail", "torch-eager": "pass"}


def test_nothing_selected_is_no_success(run: Run) -> None:
    """A selection that matches no test does not end green."""
    assert run("-k", "no_such_cell").returncode != 0


@pytest.mark.long
def test_random_weights_are_not_judged_by_recall(run: Run, dataset: Path, tmp_path: Path) -> None:
    """Recall of random weights is skipped with its reason; drift is judged."""
    cells = ("--backend", "torch-eager,onnxruntime", "--precision", "fp32", "--preprocessor", "original_clip")
    given = ("--pretrained", "random:0", f"--dataset={dataset}", f"--golden={tmp_path}/golden", *cells)
    assert run("--update-golden", *given).returncode == 1
    result = run(*given, "-rs", "suites/embeddings", "suites/retrieval")
    assert result.returncode == 0, result.stdout[-3000:]
    assert "not judged: scenes-s@random:0 has random weights: its recall says nothing" in result.stdout
    rows = json.loads((tmp_path / "report.json").read_text())["cells"]
    assert all("random weights" in row["not_judged"][0] and "class" not in row for row in rows)
