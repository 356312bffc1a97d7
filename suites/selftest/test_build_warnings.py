"""What a library warns about while an encoder is built is told in the report and fails no cell; our own warnings still do."""

import json
import warnings
from pathlib import Path

import pytest

from fixtures.build_warnings import LONGEST, noted
from suites.selftest.conftest import Run
from suites.selftest.warners import LIBRARY


def test_rows_tell_of_warnings(run: Run, few: list[str], tmp_path: Path) -> None:
    """Once each, in one line, also of what a later call compiles; a warning of this project fails its cells by name."""
    cells = ("--backend=library-warns,compiler-warns,ours-warns", "--device=cpu", "-k", "test_form or test_direction")
    result = run("-p", "suites.selftest.warners", "suites/embeddings/test_encoder.py", *cells, *few)
    rows = {row["backend"]: row for row in json.loads((tmp_path / "report.json").read_text())["cells"]}
    assert rows["library-warns"]["warnings"] == ["UserWarning: TF32 is off, and could be on"], result.stdout[-3000:]
    assert rows["compiler-warns"]["warnings"] == ["UserWarning: not enough cores"]
    assert [row["verdict"] for row in rows.values()] == ["pass", "pass", "fail"]
    assert "ours-warns-fp32-cpu could not be built: UserWarning: a backend of this project warns" in result.stdout
    assert "a library warned while building: UserWarning: TF32 is off, and could be on" in result.stdout


def test_filters_stay_in_force() -> None:
    """What the person ignores is not noted, and outside of a build a warning is an error as before."""
    notes: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "known")
        with noted(notes):
            LIBRARY.warn("known for long")
            LIBRARY.warn("x" * 1000)
        with pytest.raises(UserWarning, match="new"):
            LIBRARY.warn("new")
    assert len(notes) == 1 and len(notes[0]) == LONGEST
