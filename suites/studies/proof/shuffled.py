"""A plug-in for inner runs: rows are encoded in another order and in batches of another size, drawn from the seed $SHUFFLE."""

import os
from typing import Any

import numpy as np
import pytest

from plugins.subjects import LoadedEncoder, Subjects

BATCHES = (3, 8, 16, 32, 64)


def pytest_configure() -> None:
    """Every encoder of this run; what tests ask of an encoder themselves stays as they ask it."""
    rng = np.random.default_rng(int(os.environ["SHUFFLE"]))
    size, own, patch = int(rng.choice(BATCHES)), Subjects.image_embeddings, pytest.MonkeyPatch()

    def encode(self: LoadedEncoder, batch: Any, tower: Any) -> Any:
        order = rng.permutation(len(batch))
        parts = [self.encoder.encode(batch[order[i : i + size]], tower) for i in range(0, len(order), size)]
        found = np.concatenate(parts)
        return found[np.argsort(order)]

    def image_embeddings(self: Subjects, cell: Any, *some: Any) -> Any:
        loaded, pixels = self.encoder(cell.encoder), self.pixels(cell.preprocessor)
        rows = list({key: row for row, key in enumerate(pixels.keys) if key not in loaded.rows}.values())
        if rows:
            found = loaded.encode(pixels.rows(rows), "image")
            loaded.rows.update({pixels.keys[row]: vector for row, vector in zip(rows, found, strict=True)})
        return own(self, cell, *some)

    patch.setattr(LoadedEncoder, "encode", encode)
    patch.setattr(Subjects, "image_embeddings", image_embeddings)
