"""The default model is really trained, and the default data make a task with near misses."""

import json
from typing import Any

import numpy as np
import pytest

from fixtures.datasets import load_dataset
from fixtures.datasets.scenes.layout import evaluation_sets
from fixtures.datasets.scenes.sprites import concepts
from fixtures.models import Model, load_model
from plugins.ranking import gold_ranks
from suites.selftest.conftest import ROOT


@pytest.fixture(scope="module")
def model() -> Model:
    """The default model."""
    return load_model("scenes-s", "")


def golden(name: str) -> np.ndarray:
    """Golden vectors of the default model."""
    from safetensors.numpy import load_file

    return np.asarray(load_file(ROOT / "golden" / "scenes-s" / "vectors.safetensors")[name])


def test_scores_fall_with_the_number_of_labels() -> None:
    """Single-label text→image is above 90, and the three scores fall, in both languages together."""
    data = load_dataset()
    ranks = gold_ranks(golden("text")[: len(data.queries)], golden("image")[: len(data.scenes)], data.gold_images)
    labels = np.array([query.labels for query in data.queries])
    single, double, triple = (100 * (ranks[labels == n] == 0).mean() for n in (1, 2, 3))
    assert single > 90
    assert single > double > triple


def test_standard_error_is_small() -> None:
    """R@1 has a standard error under two points."""
    data = load_dataset()
    ranks = gold_ranks(golden("text")[: len(data.queries)], golden("image")[: len(data.scenes)], data.gold_images)
    r1 = (ranks == 0).mean()
    assert 100 * np.sqrt(r1 * (1 - r1) / len(data.scenes)) < 2


def test_evaluation_combinations_are_held_out() -> None:
    """Pairs and triples of the data set are drawn from a fixed list that training skips, and the scenes follow that list."""
    data = load_dataset()
    sets = evaluation_sets(len(concepts()))
    assert len(sets) == len(set(sets)) == len(data.scenes)


def test_token_rows_that_are_not_stored_are_the_seeds(model: Model) -> None:
    """Stored and regenerated rows make the whole table; no row is zero or wild."""
    from fixtures.models.scenes_s.tokens import initial_rows

    table = model.state["token_embedding.weight"].numpy()
    untouched = (table == initial_rows(*table.shape).numpy()).all(axis=1).mean()
    assert table.shape == (49408, 128)
    assert 0.9 < untouched < 0.999
    assert np.linalg.norm(table, axis=1).min() > 0.05


def test_weights_and_images_are_small() -> None:
    """Under 30 MB in git together."""
    folders = [ROOT / "fixtures" / "models" / "scenes_s", ROOT / "fixtures" / "datasets" / "scenes"]
    size = sum(p.stat().st_size for folder in folders for p in folder.rglob("*") if p.is_file())
    assert size < 30e6


def test_golden_error_is_certified() -> None:
    """Golden vectors differ from float64 by fp32 round-off only."""
    assert golden("image.error.cosine_distance").max() < 1e-11
    assert golden("text.error.cosine_distance").max() < 1e-11


def test_tolerances_hold_their_derivation() -> None:
    """Each limit is factor × measured + floor, or tighter."""
    import tomllib

    def check(where: str, table: dict[str, Any]) -> int:
        if "limit" in table:
            assert table["limit"] <= 1.001 * (table["factor"] * table["measured"] + table["floor"]), where
            return 1
        return sum(check(f"{where}.{name}", row) for name, row in table.items())

    for name in ("tolerances", "preprocessing"):
        rows = tomllib.loads((ROOT / "golden" / "scenes-s" / f"{name}.toml").read_text())
        assert check(name, rows) > 20


def test_manifest_says_where_golden_comes_from() -> None:
    """Weights, inputs, tokeniser, preprocessor, versions, command, date."""
    manifest = json.loads((ROOT / "golden" / "scenes-s" / "manifest.json").read_text())
    wanted = {"weights_sha256", "dataset_sha256", "tokens_sha256", "preprocessor", "environment", "command", "date", "files"}
    assert wanted <= set(manifest)
