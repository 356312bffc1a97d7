"""A plug-in for inner runs: backends that are right on usual inputs, and wrong on a kind that data sets seldom have."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fixtures.capability import Array, Encoder, Tokens, Tower
from fixtures.registry import backends
from suites.studies.faults.plants import Altered, encoder, good, source

Change = Callable[[Any], Any]


def sixteen_bits(tokens: Tokens) -> Tokens:
    """Ids from 32768 on do not fit; the end keeps its own."""
    return np.where(tokens >= 49406, tokens, tokens & 0x7FFF)


def drops_zeros(tokens: Tokens) -> Tokens:
    """Takes "!" for what fills a row."""
    rows = [np.concatenate([row[row != 0], row[row == 0]]) for row in tokens]
    return np.stack(rows) if rows else tokens


def cuts(tokens: Tokens) -> Tokens:
    """Texts of 45 to 73 tokens end early, at a size of buffer that was never tried."""
    found = tokens.copy()
    for row in found:
        end = int(row.argmax())
        if 45 <= end + 1 <= 73:
            row[40], row[41:] = row[end], 0
    return found


def flattens(pixels: Array) -> Array:
    """Flat images lose their level: it is normalised away where nothing varies."""
    flat = np.ptp(pixels, axis=(1, 2, 3), keepdims=True) == 0
    return np.where(flat, np.float32(0.1), pixels)


class RemembersBeginnings(Altered):
    """A cache whose key is too short: the first tokens of a text, some lines of an image."""

    def __init__(self, good: Encoder) -> None:
        super().__init__(good)
        self.known: dict[bytes, Array] = {}

    def encode(self, batch: Any, tower: Tower) -> Array:
        """What was first encoded under a key comes back for all others."""
        found = super().encode(batch, tower)
        for i, row in enumerate(batch):
            key = row[:, ::7] if tower == "image" else row[:30]
            found[i] = self.known.setdefault(np.ascontiguousarray(key).tobytes(), found[i].copy())
        return found


TEXT: dict[str, Change] = {"sixteen_bits": sixteen_bits, "drops_zeros": drops_zeros, "cuts": cuts}
CHANGES: dict[Tower, dict[str, Change]] = {"text": TEXT, "image": {"flattens": flattens}}


def pytest_configure() -> None:
    """Join the matrix."""
    changed = source(lambda batch, tower, planted: planted[1](batch) if tower == planted[0] else batch)
    for tower, changes in CHANGES.items():
        for name, change in changes.items():
            backends()[name] = changed(name, (tower, change))
    remembers = encoder(lambda model, device, strength: RemembersBeginnings(good(model, device)))
    backends()["remembers_beginnings"] = remembers("remembers_beginnings", None)
