"""Encoders that go wrong by how they are called break the promise that is about it, and no other."""

import json
from pathlib import Path

import pytest

from plugins.cells.sizes import SIZES, batches
from suites.selftest.conftest import Run
from suites.selftest.planted.calling_backends import BACKENDS

CHOSEN = (
    "-p",
    "suites.selftest.planted.calling_backends",
    "suites/embeddings/test_calls.py",
    "suites/embeddings/test_encoder.py",
)


def test_each_breaks_its_promise(run: Run, few: list[str], tmp_path: Path) -> None:
    """One run over all of them."""
    names = ",".join(BACKENDS)
    done = run(*CHOSEN, "--device=cpu", "--preprocessor=original_clip", "--backend", names, *few, env={"PLANT": names})
    rows = {row["backend"]: row for row in json.loads((tmp_path / "report.json").read_text())["cells"]}
    found = {name: rows[name]["broken_promises"] for name in BACKENDS}
    assert found == {name: list(promises) for name, (_, promises) in BACKENDS.items()}, done.stdout[-5000:]


@pytest.mark.parametrize("rows", [0, 1, 40, 663, 1311])
def test_every_row_is_encoded_once(rows: int) -> None:
    """Whatever the number, in the same sizes each time; the default data set meets every size."""
    found = [i for part in batches(rows) for i in range(rows)[part]]
    assert found == list(range(rows))
    assert [*batches(rows)] == [*batches(rows)]
    assert rows < 663 or {*SIZES} <= {part.stop - part.start for part in batches(rows)}
