"""An encoder whose vectors lose their form breaks E1; its other promises end in one sentence, never in a traceback."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plugins.cells.form import BrokenForm, formed
from suites.selftest.conftest import BRIEF, Run, start
from suites.selftest.planted.declarations import FORMS

Finished = tuple[subprocess.CompletedProcess[str], dict[str, dict[str, Any]]]
SUITES = ("suites/embeddings", "suites/retrieval", "suites/latency")
CHOSEN = ("-p", "suites.selftest.planted.declarations", "--preprocessor", "original_clip", "-rs")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> Finished:
    """One run over all of them; its process and its rows by backend."""
    folder, names = tmp_path_factory.mktemp("form"), ",".join(FORMS)
    process = start(folder, *CHOSEN, *SUITES, *BRIEF, "--backend", names, "--device", "cpu", *tiny, env={"PLANT": names})
    return process, {row["backend"]: row for row in json.loads((folder / "report.json").read_text())["cells"]}


@pytest.mark.parametrize(
    ("backend", "sentence"),
    [
        ("squeezed", "shape (64,) for 1 input ("),
        ("narrow", "shape (1, 63) for 1 input ("),
        ("none", "NoneType for 1 input ("),
        ("text-object", "dtype object for 1 input (text), expected a float32 array of shape (1, 64)"),
    ],
)
def test_only_e1_breaks(finished: Finished, backend: str, sentence: str) -> None:
    """The rest is not judged, and says why."""
    process, rows = finished
    row = rows[backend]
    assert (row["verdict"], row["broken_promises"]) == ("fail", ["E1"]), process.stdout[-5000:]
    assert any(why.startswith("E1 is broken: ") and sentence in why for why in row["not_judged"]), row["not_judged"]


def test_what_e1_does_not_see_fails(finished: Finished) -> None:
    """A form that breaks at another batch size fails the promise that asked for it."""
    row = finished[1]["four"]
    assert (row["verdict"], row["broken_promises"]) == ("fail", ["E6"])
    assert row["reason"].startswith("E6 is not judged: E1 is broken: shape (64,) for 4 inputs (")


def test_no_traceback(finished: Finished) -> None:
    """Nowhere."""
    printed = finished[0].stdout
    assert "Error" not in printed and "Traceback" not in printed, printed[-5000:]


def test_declared(run: Run, tiny: list[str]) -> None:
    """A form that is declared is expected, and the rest is not judged."""
    result = run(*CHOSEN, *SUITES, *BRIEF, "--backend", "squeezed-known", *tiny, env={"PLANT": "squeezed-known"})
    assert result.returncode == 0, result.stdout[-3000:]
    assert "expected-failure in 1 cell: E1: ours: planted" in result.stdout


def test_without_e1(run: Run, tiny: list[str], tmp_path: Path) -> None:
    """Where E1 is not selected nothing else has said it, so the others fail."""
    chosen = ("suites/embeddings/test_cell.py", "--backend", "narrow", *tiny)
    assert run(*CHOSEN, *chosen, env={"PLANT": "narrow"}).returncode == 1
    row = json.loads((tmp_path / "report.json").read_text())["cells"][0]
    assert row["reason"].startswith("C1 is not judged: E1 is broken: shape ")


@pytest.mark.parametrize(
    "found", [np.zeros((3, 4), np.float32), np.zeros(4, np.float32), [[0.0] * 4] * 2, np.zeros((2, 4), int), None]
)
def test_what_has_no_form(found: Any) -> None:
    """A row too many, a row squeezed, a list, whole numbers, nothing; other floats have a form, and E1 a word on them."""
    with pytest.raises(BrokenForm, match=r"for 2 inputs \(image\), expected a float32 array of shape \(2, 4\)"):
        formed(found, 2, 4, "image")
    assert formed(np.zeros((2, 4)), 2, 4, "text").dtype == np.float64
