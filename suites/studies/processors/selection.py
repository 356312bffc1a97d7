"""A fixed part of the default data set with its golden rows: the limits stay those of the whole, so verdicts mean the same."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.datasets import DEFAULT, load_dataset
from suites.studies.processors.kinds import SELECTIONS
from suites.studies.processors.page import data

GOLDEN = ROOT / "golden"
NAME = "selection"


class Selections:
    """Those of SELECTIONS that were asked for, each written once, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def options(self, name: str) -> list[str]:
        """The options of a run over a selection; none for the whole."""
        shape, folder = SELECTIONS[name], self.folder / name
        if shape and not folder.exists():
            write(folder, *shape)
        return [f"--dataset={folder / NAME}", f"--golden={folder / 'golden'}"] if shape else []

    def words(self, name: str) -> str:
        """What it holds, for the page."""
        self.options(name)
        held = load_dataset(self.folder / name / NAME) if SELECTIONS[name] else load_dataset()
        return data(name, len(held.scenes), len(held.odd), len(held.texts))


def write(folder: Path, every: int, odd: int, texts: int) -> None:
    """Every `every`-th scene, every `odd`-th odd file, at most `texts` queries, evenly spaced, and all odd texts."""
    whole = load_dataset()
    scenes, odd_ones = whole.scenes[::every], whole.odd[::odd]
    chosen, lines = [], (DEFAULT / "captions.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    for number, row in enumerate(rows):
        row["images"] = [name for name in row["images"] if name in scenes]
        if row["images"]:
            chosen.append(number)
    chosen = chosen[:: -(-len(chosen) // texts)]
    kept = sorted({name for number in chosen for name in rows[number]["images"]})
    target = folder / NAME
    for name in (*kept, *odd_ones):
        (target / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(whole.path(name), target / "images" / name)
    (target / "captions.jsonl").write_text(
        "\n".join(json.dumps(rows[number], ensure_ascii=False) for number in chosen), "utf-8"
    )
    images = whole.rows([*kept, *odd_ones])
    queries = [*chosen, *range(len(whole.queries), len(whole.texts))]
    _golden(folder / "golden" / f"scenes-s+{NAME}", target, {"image": images, "text": queries})


def _golden(target: Path, folder: Path, rows: dict[str, list[int]]) -> None:
    from safetensors.numpy import load_file, save_file

    from fixtures.models import DEFAULT as MODEL
    from fixtures.models import load_model
    from plugins.golden.verified import pixel_file

    source, dataset = GOLDEN / MODEL, load_dataset(folder)
    manifest: dict[str, Any] = json.loads((source / "manifest.json").read_text("utf-8"))
    (target / "pixels").mkdir(parents=True)
    vectors = load_file(source / "vectors.safetensors")
    save_file({name: v[rows[name.split(".")[0]]] for name, v in vectors.items()}, target / "vectors.safetensors")
    names = [name for name in manifest["pixel_names"] if name in dataset.images]
    for file in ("tolerances.toml", "preprocessing.toml", *(f"pixels/{pixel_file(name)}" for name in names)):
        shutil.copy(source / file, target / file)
    tokens = load_model(MODEL, "").tokenize(dataset.texts)
    files = sorted(path for path in target.rglob("*") if path.is_file())
    manifest |= {
        "dataset_sha256": dataset.sha256,
        "tokens_sha256": hashlib.sha256(tokens.tobytes()).hexdigest(),
        "pixel_names": names,
        "files": {str(path.relative_to(target)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    }
    (target / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False), "utf-8")
