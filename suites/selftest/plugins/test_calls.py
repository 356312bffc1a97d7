"""Encoders that go wrong by how they are called break the promise that is about it, and no other."""

import json
from pathlib import Path

import pytest

from fixtures.registry import preprocessors
from fixtures.truth import REFERENCE
from plugins.cells.sizes import SIZES, batches, place
from suites.selftest.conftest import Run
from suites.selftest.planted.calling_backends import BACKENDS

CHOSEN = (
    "-p",
    "suites.selftest.planted.calling_backends",
    "suites/embeddings/test_calls.py",
    "suites/embeddings/test_encoder.py",
)


def test_each_breaks_its_promise(run: Run, tiny: list[str], tmp_path: Path) -> None:
    """One run over all of them."""
    names = ",".join(BACKENDS)
    done = run(*CHOSEN, "--device=cpu", "--preprocessor=original_clip", "--backend", names, *tiny, env={"PLANT": names})
    rows = {row["backend"]: row for row in json.loads((tmp_path / "report.json").read_text())["cells"]}
    found = {name: rows[name]["broken_promises"] for name in BACKENDS}
    assert found == {name: list(promises) for name, (_, promises) in BACKENDS.items()}, done.stdout[-5000:]
    assert "calls in 16 threads raise an error: RuntimeError: another call is running\n" in done.stdout


@pytest.mark.parametrize("before", [(), (1,), (414,), (663, 663), (6000, 0)])
@pytest.mark.parametrize("rows", [0, 1, 40, 663, 1311])
def test_every_row_is_encoded_once(rows: int, before: tuple[int, ...]) -> None:
    """Whatever the number, in the same sizes each time."""
    found = [i for part in batches(rows, before) for i in range(rows)[part]]
    assert found == list(range(rows))
    assert [*batches(rows, before)] == [*batches(rows, before)]


def sizes(rows: int, *before: int) -> set[int]:
    """In which a set is encoded."""
    return {part.stop - part.start for part in batches(rows, before)}


def test_sets_meet_every_size() -> None:
    """The default data set by itself those of SIZES; more sets all others, none twice before all were there."""
    assert {*SIZES} <= sizes(663)
    assert {*range(1, 55)} <= sizes(1311) | sizes(769, 1311)
    assert {*range(1, 101)} <= set().union(*(sizes(663, *[663] * turn) for turn in range(9)))


def test_each_preprocessor_has_its_place() -> None:
    """The reference's is the first, those known as bad come last."""
    places = {name: place(name) for name in preprocessors()}
    assert sorted(places.values()) == list(range(len(places))) and places[REFERENCE] == 0
    bad = [places[name] for name, each in preprocessors().items() if "C1" in each.failures(squash=False)]
    assert min(bad) == len(places) - len(bad)
