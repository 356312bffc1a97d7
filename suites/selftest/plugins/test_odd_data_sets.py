"""Data sets that lack what ours has: one image, one query, nothing opaque. Golden data are made of them, and all cells pass."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fixtures import ROOT
from fixtures.images import decoded
from suites.selftest.conftest import TINY, Run

SUITES = ("suites/preprocessing/test_pixels.py", "suites/embeddings/test_cell.py", "suites/retrieval")
SCENES = ROOT / "fixtures" / "datasets" / "scenes" / "images"


def _transparent(image: Any) -> tuple[Any, dict[str, Any]]:
    from PIL import Image

    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image, {}


def _turned(image: Any) -> tuple[Any, dict[str, Any]]:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    return image, {"exif": exif}


ONLY: dict[str, Callable[[Any], tuple[Any, dict[str, Any]]]] = {
    "transparent": _transparent,
    "turned": _turned,
    "small": lambda image: (image.resize((90, 60)), {}),
    "square": lambda image: (image.crop((0, 0, 400, 400)), {}),  # where squashing is cropping
}


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=() if kind == "small" else pytest.mark.long) for kind in ONLY])
def test_only(run: Run, tmp_path: Path, kind: str) -> None:
    """Golden data are made of it, and all preprocessors and an encoder keep to them."""
    folder = tmp_path / "mine"
    (folder / "images").mkdir(parents=True)
    image, options = ONLY[kind](decoded(str(SCENES / "scene_000.jpg")))
    image.save(folder / "images" / "a.png", **options)
    (folder / "captions.jsonl").write_text(json.dumps({"text": "a monkey", "images": ["a.png"]}))
    given = (*TINY, f"--dataset={folder}", f"--golden={tmp_path}/golden")
    made = run("--update-golden", *given)
    assert made.returncode == 1 and "nothing was tested" in made.stdout + made.stderr, made.stdout + made.stderr
    done = run(*SUITES, *given, "--backend=torch-eager", "--precision=fp32")
    assert done.returncode == 0, done.stdout[-5000:]
    assert "INTERNALERROR" not in done.stdout
    rule = next((tmp_path / "golden").glob("*/preprocessing.toml")).read_text()
    assert ("No image is opaque" in rule) == (kind != "square")
