"""What an encoder promises to the cells after it."""

from typing import get_args

from fixtures.capability import Tower
from fixtures.cells import EncoderKey
from plugins.cells.promises import Judge
from plugins.golden.verified import Golden
from plugins.process.left_behind import LeftBehind
from plugins.subjects import Subjects

ROWS = 3


def test_left_behind(
    subjects: Subjects, golden: Golden, encoder_key: EncoderKey, left_behind: LeftBehind, judge: Judge
) -> None:
    """E12 an encoder that is gone leaves the process as it was: settings, weights, child processes, threads, files, sockets."""
    for tower in get_args(Tower):
        call(subjects, golden, encoder_key, tower)
    subjects.end()
    found = left_behind.take_findings(encoder_key)
    judge(not found, "\n".join(found))


def call(subjects: Subjects, golden: Golden, key: EncoderKey, tower: Tower) -> None:
    """Once, as a selection of this test alone would not have done; keeps nothing that would keep the encoder alive."""
    subjects.encoder(key).encoder.encode((subjects.tokens if tower == "text" else golden.pixels)[:ROWS], tower)
