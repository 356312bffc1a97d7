"""What the suites compare: an encoder on golden inputs, a cell end to end, and a cell's retrieval with golden's."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from fixtures.capability import Array, Tokens, Tower
from fixtures.cells import Cell, EncoderKey
from plugins.cells.sampling import Sample
from plugins.cells.traits import TRAIT_PROMISES
from plugins.golden.verified import Golden, names_of
from plugins.measures.vectors.drift import Drift
from plugins.measures.vectors.metrics import METRICS, Comparison, add_angles, normalised
from plugins.measures.vectors.mixtures import Own, Retrieval, retrieve
from plugins.subjects import Subjects

Inputs = dict[Tower, Array | Tokens]
FARTHEST = {"cosine_distance": ("cosine distance", 2.0), "norm_ratio": ("relative difference in length", 1.0)}


@pytest.fixture
def inputs(subjects: Subjects, golden: Golden) -> Inputs:
    """Of both towers: golden pixels float32 [P, 3, R, R] and all texts' tokens int64 [Q, L]."""
    return {"image": golden.pixels, "text": subjects.tokens}


def compare_calls(what: str, found: Array, wanted: Array, drift: Drift, rows: Sequence[int]) -> Iterator[Comparison]:
    """Directions and lengths of an encoder's vectors [N, D] beside its own of the same inputs in other calls.

    `rows` says which of drift's inputs they are, whose limits hold. A vector that is not finite is as far as can be.
    """
    names, broken = [drift.names[row] for row in rows], ~np.isfinite(found).all(axis=1)
    for measure, (said, most) in FARTHEST.items():
        values = np.where(broken, most, METRICS[measure](found, wanted))
        yield Comparison(f"{said} of {what}", values, drift.limits[measure][list(rows)], names, measure)


@pytest.fixture
def drift(subjects: Subjects, golden: Golden, encoder_key: EncoderKey, tower: str) -> Drift:
    """An encoder on golden pixels or golden tokens, without the influence of a preprocessor."""
    names = names_of(subjects, "text") if tower == "text" else list(golden.pixel_names)
    tolerances = golden.on(encoder_key.device)
    limits = {metric: tolerances.limits(encoder_key.tolerance, tower, metric, names) for metric in METRICS}
    if tower == "text":
        return Drift(subjects.tokens, subjects.text_embeddings(encoder_key), golden.text, names, limits)
    loaded, rows = subjects.encoder(encoder_key), subjects.dataset.rows(golden.pixel_names)
    found = subjects.once(("golden pixels", str(encoder_key)), lambda: loaded.encode(golden.pixels, "image"))
    return Drift(golden.pixels, found, golden.image[rows], names, limits)


@pytest.fixture
def cell_drift(subjects: Subjects, golden: Golden, cell: Cell, sample: Sample | None) -> Drift:
    """A cell from file to vector, on all images (or its sample) except kinds on which its preprocessor declares to differ."""
    known = cell.known_failures()
    excused = {trait for trait, name in TRAIT_PROMISES.items() if trait != "opaque" and name in known}
    images = subjects.dataset.images
    encoded = sample.rows if sample else range(len(images))
    judged = [at for at, row in enumerate(encoded) if excused.isdisjoint(subjects.traits(images[row]))]
    rows = [encoded[at] for at in judged]
    if not rows:
        declared = ", ".join(sorted(excused))
        pytest.skip(
            f"{cell.preprocessor} declares that it differs on all images of the data set ({declared}): add others to it"
        )
    names = [images[row] for row in rows]
    tolerances = golden.on(cell.encoder.device)
    limits = {metric: tolerances.limits(cell.encoder.tolerance, "image", metric, names) for metric in METRICS}
    limits["cosine_distance"] = add_angles(limits["cosine_distance"], golden.budget(cell.preprocessor, "cosine_distance"))
    found = subjects.image_embeddings(cell, encoded)[judged]
    return Drift(found, found, golden.image[rows], names, limits)


@pytest.fixture
def retrieval(subjects: Subjects, golden: Golden, cell: Cell, sample: Sample | None) -> Retrieval:
    """A cell's rankings and golden's, in every mixture."""
    if sample:
        pytest.skip(sample.because)
    n, q = len(subjects.dataset.scenes), len(subjects.dataset.queries)
    images, texts = subjects.image_embeddings(cell), subjects.text_embeddings(cell.encoder)
    of_scenes = golden.limits("fp32", "image", "cosine_distance", subjects.dataset.scenes)
    of_texts = golden.limits("fp32", "text", "cosine_distance", names_of(subjects, "text")[:q])
    known = golden.image[:n], golden.text[:q]
    own = subjects.once("what golden alone decides", lambda: Own.of(subjects.dataset, *map(normalised, known)))
    limits, labelled = (of_scenes, of_texts), not subjects.model.random
    vectors = hashlib.sha256(images[:n].tobytes()).hexdigest()  # several preprocessors give the reference's pixels
    return subjects.once(
        ("retrieval", str(cell.encoder), vectors),
        lambda: retrieve(subjects.dataset, images[:n], texts[:q], *known, limits, own, labelled),
    )


@pytest.fixture
def recall(subjects: Subjects, retrieval: Retrieval) -> Retrieval:
    """The same where the labels mean something; skipped for random weights."""
    if not retrieval.labelled:
        pytest.skip(f"{subjects.model.id} has random weights: its recall says nothing, golden's own answers are judged (C2)")
    return retrieval
