"""A plug-in for inner runs: a backend that has golden's vectors by heart and computes all others with other weights.

It is what a server is whose cache was filled by the model before: $DATA names the folder of the data set that it has served.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Array, Encoder, Tower
from fixtures.datasets import load_dataset
from fixtures.preprocessors._shared import to_8_bits
from fixtures.preprocessors.original_clip import OriginalClip
from fixtures.registry import backends
from suites.studies.faults.plants import Altered

if TYPE_CHECKING:
    from fixtures.models import Model


class Remembers(Altered):
    """Right where it remembers."""

    def __init__(self, good: Encoder, model: "Model") -> None:
        super().__init__(good)
        self.geometry = model.geometry
        data, self.known = load_dataset(Path(os.environ["DATA"])), set[bytes]()
        for name in data.images:
            self.known.add(to_8_bits(OriginalClip()(str(data.path(name)), model.geometry), model.geometry).tobytes())
        self.known.update(row.tobytes() for row in model.tokenize(list(data.texts)))

    def encode(self, batch: Any, tower: Tower) -> Array:
        """One value in a hundred is another one in what it computes itself."""
        found = super().encode(batch, tower)
        seen = [(to_8_bits(row, self.geometry) if tower == "image" else row).tobytes() for row in batch]
        new = [i for i, each in enumerate(seen) if each not in self.known]
        found[new, ::100] *= np.float32(1.01)
        return found


class Remembering(TorchEager):
    """See Remembers."""

    name = "remembering"
    precisions: tuple[str, ...] = ("fp32",)

    def load(self, model: "Model", precision: str, device: str) -> Encoder:
        """A good encoder behind a cache."""
        return Remembers(super().load(model, precision, device), model)


def pytest_configure() -> None:
    """Join the matrix."""
    backends()["remembering"] = Remembering()
