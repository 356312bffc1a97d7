"""A small data set for studies that need many runs, or models that take long."""

import json
import shutil
from pathlib import Path

from fixtures import ROOT

SCENES = ROOT / "fixtures" / "datasets" / "scenes" / "images"


def few_scenes(folder: Path, count: int) -> Path:
    """Write the first scenes and a query for each to a new folder, and return it."""
    (folder / "images").mkdir(parents=True)
    names = sorted(path.name for path in SCENES.glob("*.jpg"))[:count]
    for name in names:
        shutil.copy(SCENES / name, folder / "images")
    queries = [{"text": f"scene {i}", "images": [name]} for i, name in enumerate(names)]
    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, queries)))
    return folder
