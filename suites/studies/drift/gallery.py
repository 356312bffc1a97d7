"""A larger gallery for the model and the data set of an audit, embedded once and cached."""

import numpy as np
from numpy.typing import NDArray

from fixtures.capability import Array
from fixtures.cells import EncoderKey
from fixtures.progress import ProgressLine
from fixtures.storage.cache import cached
from fixtures.truth import BATCH, LARGE, REFERENCE
from plugins.measures.drift.answers.galleries import Gallery, Things, halves, pictures, shown, things
from plugins.measures.latency.reference import reference_key
from plugins.subjects import Subjects

SEED = 20261122
PICTURES = 10_000  # of a large model 500: an image takes it 20 times as long


def gallery(subjects: Subjects, count: int | None = None) -> Gallery:
    """Embedded by torch eager fp32, once for these weights and scenes; raises Unavailable as `things` does."""
    known, model = things(subjects.dataset), subjects.model
    wanted = count or (PICTURES if model.parameters <= LARGE else PICTURES // 20)
    made_from = {
        "kind": "gallery",
        "weights": model.weights_sha256,
        "dataset": subjects.dataset.sha256,
        "pictures": str(wanted),
        "seed": str(SEED),
        "form": "2",
    }

    def build(folder: object) -> None:
        vectors, chosen = _embed(subjects, known, wanted)
        np.savez(f"{folder}/gallery.npz", vectors=vectors, shown=shown(known, chosen))

    folder, _ = cached(made_from, build)
    with np.load(folder / "gallery.npz") as kept:
        return Gallery(kept["vectors"], known.wrong(kept["shown"]))


def _embed(subjects: Subjects, known: Things, count: int) -> tuple[Array, list[NDArray[np.int64]]]:
    resolution = subjects.model.resolution
    squares = halves(subjects.pixels(REFERENCE).rows(known.scenes.tolist()), resolution)
    encoder = subjects.encoder(reference_key(EncoderKey(subjects.model_id, "", "", "cpu"))).encoder
    line, vectors, chosen, batch = ProgressLine("larger gallery"), [], [], []
    for picture, scenes in pictures(squares, count, np.random.default_rng(SEED)):
        batch.append(picture[:, :resolution, :resolution])
        chosen.append(scenes)
        if len(batch) == BATCH or len(chosen) == count:
            vectors.append(encoder.encode_image(np.stack(batch)))
            line.step(f"{len(chosen)} of {count} pictures embedded")
            batch = []
    line.finish()
    return np.concatenate(vectors), chosen
