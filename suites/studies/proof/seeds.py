"""Fresh inputs of many seeds on every encoder that runs here: none may raise an alarm."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fixtures.capability import TOWERS, Array, Tokens, Tower
from fixtures.cells import EncoderKey
from fixtures.datasets import fresh
from fixtures.storage.lines import Lines
from fixtures.truth import REFERENCE
from plugins.cells.beside import Beside, alone, beside, compared
from plugins.cells.fresh import COUNT
from plugins.cells.given_back import CannotRun
from plugins.cells.sampling import SLOW, times_the_reference
from plugins.golden.verified import load_golden
from plugins.subjects import Subjects

SHARE = 4  # an encoder that is slow (plugins/cells/sampling) gets one seed of so many


def figures(
    encoders: Sequence[tuple[str, str]], seeds: Sequence[int], kept: Lines, told: Callable[[Any], Any]
) -> list[dict[str, Any]]:
    """A row an encoder and tower: its seeds, those that raise an alarm, and the largest distance as a share of its limit.

    Rows of an interrupted run are taken from `kept`.
    """
    subjects, rows = Subjects(), kept.read()
    golden, done = load_golden(subjects), {row["encoder"] for row in rows if row["tower"] == TOWERS[-1]}
    rows = [told(row) for row in rows if row["encoder"] in done]
    for backend, precision in encoders:
        key = EncoderKey(subjects.model_id, backend, precision, "cpu")
        if str(key) in done:
            continue
        try:
            encoder = subjects.encoder(key).encoder
        except CannotRun:  # a precision that this processor lacks
            continue
        chosen = seeds[: len(seeds) // SHARE] if times_the_reference(subjects, key) > SLOW else seeds
        for tower in TOWERS:
            inputs = drawn(subjects, tower, chosen)
            found = alone(encoder, inputs, golden.image.shape[1])
            shares = compared(subjects, golden, key, inputs, found, "new input").shares.reshape(len(chosen), COUNT).max(axis=1)
            alarms = [seed for seed, share in zip(chosen, shares, strict=True) if share > 1]
            largest = float(shares.max())
            row = {"encoder": str(key), "tower": tower, "seeds": len(chosen), "alarms": alarms, "largest": largest}
            kept.append(row)
            rows.append(told(row))
    subjects.end()
    return rows


def drawn(subjects: Subjects, tower: Tower, seeds: Sequence[int]) -> Beside:
    """What E16 draws for these seeds, one after the other, with the reference's vectors; made once."""

    def make() -> tuple[list[str], Array | Tokens]:
        names = [f"input {i} of seed {seed}" for seed in seeds for i in range(COUNT)]
        if tower == "text":
            texts = [text for seed in seeds for text in fresh.texts(subjects.dataset.texts, COUNT, seed)]
            return names, subjects.model.tokenize(texts)
        pixels = subjects.pixels(REFERENCE).rows(range(len(subjects.dataset.images)))
        return names, np.concatenate([fresh.images(pixels, COUNT, seed) for seed in seeds])

    return beside(subjects, ("seeds", tower, len(seeds)), tower, make)
