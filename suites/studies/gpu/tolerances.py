"""Tolerances that the record derives on the device, in a copy of golden data, beside those that were derived on the CPU."""

import shutil
import tomllib
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.capability import TOWERS
from fixtures.models import DEFAULT
from plugins.measures.vectors.metrics import METRICS


def copied(folder: Path) -> Path:
    """The default model's golden data, to be changed."""
    shutil.copytree(ROOT / "golden" / DEFAULT, folder / DEFAULT)
    shutil.copy(ROOT / "golden" / "latency.toml", folder)
    return folder


def rows(folder: Path, device: str) -> list[dict[str, Any]]:
    """A row for each precision and tower that has tolerances of the device: metric, the CPU's limit and the device's."""
    found = tomllib.loads((folder / DEFAULT / "tolerances.toml").read_text())
    return [
        {
            "precision": precision,
            "tower": tower,
            "limits": {name: [table[tower][name]["limit"], table[tower][device][name]["limit"]] for name in METRICS},
        }
        for precision, table in found.items()
        for tower in TOWERS
        if device in table[tower]
    ]
