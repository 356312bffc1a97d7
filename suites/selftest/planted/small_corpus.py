"""A small corpus, and the command on it with a model that computes next to nothing."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from fixtures import ROOT
from fixtures.registry import families
from plugins.corpus.__main__ import main
from suites.selftest.planted.tiny import NAME, WEIGHTS, Tiny

SCENES = ROOT / "fixtures" / "datasets" / "scenes" / "images"
IMAGES, PART, QUERIES = 22, 8, 10
HERE = ("--workers=0", f"--part={PART}", f"--queries={QUERIES}", f"--model={NAME}", f"--pretrained={WEIGHTS}")


def write(folder: Path) -> Path:
    """Small scenes in two folders, and a file that is cut off, which comes last."""
    for number, path in enumerate(sorted(SCENES.glob("*.jpg"))[:: 650 // IMAGES][: IMAGES - 1]):
        place = folder / str(number % 2) / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.resize((150, 100)).save(place)
    (folder / "cut.png").write_bytes(place.read_bytes()[:900])
    return folder


@contextmanager
def tiny() -> Iterator[None]:
    """The small model's family is known."""
    families()["tiny"] = Tiny()
    try:
        yield
    finally:
        del families()["tiny"]


def run(corpus: Path, out: Path, *options: str) -> int:
    """The command's exit code."""
    with tiny():
        return main([str(corpus), *HERE, *options, f"--out={out}"])


def answer(out: Path) -> dict[str, Any]:
    """What it has found."""
    found: dict[str, Any] = json.loads((out / "corpus.json").read_text(encoding="utf-8"))["answer"]
    return found
