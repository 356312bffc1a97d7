"""What an encoder promises on inputs that are not golden's: new ones, which nobody knows, and kinds that data sets lack."""

import pytest

from fixtures.capability import Encoder, Tower
from fixtures.cells import EncoderKey
from plugins.cells.beside import alone, compared, of_every_kind
from plugins.cells.fresh import drawn
from plugins.cells.promises import Judge
from plugins.golden.verified import Golden
from plugins.subjects import Subjects


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
