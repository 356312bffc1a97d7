"""What an encoder promises on inputs that it has never had: who answers from memory cannot know them."""

import numpy as np
import pytest

from fixtures.bounds import bounds
from fixtures.capability import Encoder, Tower
from fixtures.cells import EncoderKey
from plugins.cells.form import formed
from plugins.cells.fresh import drawn, own_errors
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
    seed = pytestconfig.getoption("--seed")
    inputs = drawn(subjects, tower, seed)
    width = golden.image.shape[1]
    # One a call, as the reference: what a batch does to its rows is E4's.
    found = np.concatenate([formed(encoder.encode(row[None], tower), 1, width, tower).copy() for row in inputs.inputs])
    limits = golden.limits_of(encoder_key.base, tower, COSINE, own_errors(subjects, tower, seed, encoder_key.base))
    if known := encoder_key.known_failures(tower).get("E2"):  # golden inputs may be as far from the reference, and so may these
        limits = np.maximum(limits, float((bounds("E2", known) or {}).get(COSINE, 0)))
    metric = "cosine distance of a vector to torch eager fp32's of the same new input"
    judge(Comparison(metric, cosine_distance(found, inputs.wanted), limits, inputs.names, COSINE))
