"""A limit that is derived from few inputs is as wide as few inputs ask for, and still finds a scaled embedding."""

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures import ROOT
from fixtures.truth import SAMPLE
from plugins.golden.derivation import FACTOR, SURE, widening
from suites.selftest.conftest import TINY, small_dataset, start

SCALED = {"24.scaled-output.0": "normalised", "24.scaled-output.3": "0.01 %"}  # suites/studies/faults/outputs.py


@pytest.mark.parametrize("n", [1, 2, 3, 13, 44, SAMPLE])
def test_widened_limits_are_as_sure_as_those_of_many(n: int) -> None:
    """Of errors drawn anew, one number an input: the largest of n, widened, is seldom less than the largest of many may be."""
    errors = np.abs(np.random.default_rng(0).normal(size=(20_000, n)))
    many = np.quantile(np.abs(np.random.default_rng(1).normal(size=(20_000, SAMPLE))).max(axis=1), 1 - SURE)
    assert (widening(n) * errors.max(axis=1) < many).mean() == pytest.approx(1 - SURE, abs=0.004)


def test_many_inputs_are_not_widened() -> None:
    """The default model's limits have the plain factors."""
    assert widening(SAMPLE) == widening(640) == 1
    assert [widening(n) for n in range(1, SAMPLE)] == sorted((widening(n) for n in range(1, SAMPLE)), reverse=True)
    table = tomllib.loads((ROOT / "golden" / "scenes-s" / "tolerances.toml").read_text(encoding="utf-8"))
    assert all(
        table[precision][tower]["norm_ratio"]["factor"] == FACTOR[precision]
        for precision in table
        for tower in ("image", "text")
    )


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Golden data of three scenes and two queries."""
    folder = tmp_path_factory.mktemp("three")
    given = [*TINY, f"--dataset={small_dataset(folder / 'mine')}", f"--golden={folder}/golden"]
    made = start(folder, *given, "--update-golden")
    assert "new golden data" in made.stdout + made.stderr, made.stdout[-3000:]
    return folder, given


def test_one_number_an_input_is_widened(three: tuple[Path, list[str]]) -> None:
    """Of 3 images, and of 2 queries with 11 odd texts; metrics that sum over an embedding keep their factor."""
    (file,) = (three[0] / "golden").glob("*/tolerances.toml")
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    for tower, n in (("image", 3), ("text", 13)):
        rows: dict[str, Any] = table["fp16"][tower]
        assert rows["norm_ratio"]["factor"] == pytest.approx(3 * widening(n), abs=0.01)
        assert {rows[name]["factor"] for name in ("cosine_distance", "max_abs", "mean_abs")} == {3.0}
        assert not any("norm_ratio" in row for row in rows.get("exceptions", {}).values())


def test_a_scaled_embedding_is_still_found(three: tuple[Path, list[str]]) -> None:
    """By E5, on the same few inputs."""
    folder, given = three
    chosen = (
        "-p",
        "suites.studies.faults.plant",
        f"--backend={','.join(SCALED)}",
        "--device=cpu",
        "suites/embeddings",
        "-k",
        "length",
    )
    start(folder, *chosen, *given, env={"PLANT": ",".join(SCALED), "FOUND": f"{folder}/found.json"})
    broken = json.loads((folder / "found.json").read_text())["broken"]
    assert {name: [promise for promise, _ in found] for name, found in broken.items()} == {
        name: ["E5", "E5"] for name in SCALED
    }
