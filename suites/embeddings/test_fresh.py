"""What an encoder promises on inputs that are not golden's: new ones, which nobody knows, and kinds that data sets lack."""

import numpy as np
import pytest
from numpy.typing import NDArray

from fixtures.bounds import bounds
from fixtures.capability import Array, Encoder, Tower
from fixtures.cells import EncoderKey
from plugins.cells.beside import Beside, of_every_kind
from plugins.cells.form import formed
from plugins.cells.fresh import drawn
from plugins.cells.promises import Judge
from plugins.golden.verified import Golden
from plugins.measures.vectors.metrics import Comparison, cosine_distance
from plugins.subjects import Subjects

COSINE = "cosine_distance"


def test_fresh_inputs(
    subjects: Subjects,
    golden: Golden,
    encoder_key: EncoderKey,
    encoder: Encoder,
    tower: Tower,
    judge: Judge,
    pytestconfig: pytest.Config,
) -> None:
    """E16 inputs that are drawn for this run alone give torch eager fp32's vectors: cosine distance within tolerance."""
    inputs = drawn(subjects, tower, pytestconfig.getoption("--seed"))
    found = alone(encoder, inputs, golden.image.shape[1])
    judge(compared(subjects, golden, encoder_key, inputs, found, "new input"))


def test_every_kind(
    subjects: Subjects, golden: Golden, encoder_key: EncoderKey, tower: Tower, judge: Judge, pytestconfig: pytest.Config
) -> None:
    """E17 inputs of every kind give torch eager fp32's vectors: any token, any length, near duplicates, flat and fine ones."""
    inputs = of_every_kind(subjects, tower, pytestconfig.getoption("--whole"))
    before = [len(subjects.tokens)] if tower == "text" else []  # images of every kind are few
    found = subjects.encoder(encoder_key).encode(inputs.inputs, tower, before)
    judge(compared(subjects, golden, encoder_key, inputs, found, "input"))


def alone(encoder: Encoder, inputs: Beside, width: int) -> Array:
    """Embeddings of the inputs, float32 [N, width], one a call as the reference: what a batch does to its rows is E4's."""
    return np.concatenate(
        [formed(encoder.encode(row[None], inputs.tower), 1, width, inputs.tower).copy() for row in inputs.inputs]
    )


def compared(subjects: Subjects, golden: Golden, key: EncoderKey, inputs: Beside, found: Array, what: str) -> Comparison:
    """The distances of these vectors to the reference's, with their limits."""
    limits: NDArray[np.float64] = golden.limits_of(key.base, inputs.tower, COSINE, inputs.own_errors(subjects, key.base))
    if known := key.known_failures(inputs.tower).get("E2"):  # golden inputs may be as far from the reference, and so may these
        limits = np.maximum(limits, float((bounds("E2", known) or {}).get(COSINE, 0)))
    metric = f"cosine distance of a vector to torch eager fp32's of the same {what}"
    return Comparison(metric, cosine_distance(found, inputs.wanted), limits, inputs.names, COSINE)
