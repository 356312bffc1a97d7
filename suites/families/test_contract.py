"""What a model promises as one of its family: its own code makes the same tokens, pixels, vectors and probabilities."""

import pytest

from fixtures.capability import Tower
from fixtures.cells import ModelId
from fixtures.models.own_code import OwnCode
from plugins.cells.promises import Judge
from plugins.families import contract
from plugins.golden.verified import Golden
from plugins.subjects import Subjects


@pytest.fixture(scope="module")
def own(subjects: Subjects) -> OwnCode:
    """The family's own code, held for these tests only."""
    return subjects.model.own_code()


def _hold(verdicts: contract.Verdicts, judge: Judge) -> None:
    for verdict, found in verdicts:
        judge(verdict, found)


def test_tokens(model_id: ModelId, subjects: Subjects, own: OwnCode, judge: Judge) -> None:
    """T1 a text's tokens are those of the family's own tokeniser: any case, script, length and form."""
    _hold(contract.tokens(subjects, own), judge)


def test_rows(model_id: ModelId, subjects: Subjects, own: OwnCode, judge: Judge) -> None:
    """T2 a row of tokens is as long as the model's context, and the same whatever else is tokenised with it."""
    _hold(contract.rows(subjects, own), judge)


def test_case(model_id: ModelId, subjects: Subjects, judge: Judge) -> None:
    """T3 where the family lower-cases texts, case makes no difference."""
    _hold(contract.case(subjects), judge)


def test_special_tokens(model_id: ModelId, subjects: Subjects, own: OwnCode, judge: Judge) -> None:
    """T4 a text begins, ends and is filled up with the family's tokens; one that is too long keeps its beginning and an end."""
    _hold(contract.special_tokens(subjects, own), judge)


def test_pixels(model_id: ModelId, subjects: Subjects, own: OwnCode, judge: Judge) -> None:
    """P15 the reference's pixels are those of the family's own transform, on pictures that are not square."""
    _hold(contract.pixels(subjects, own), judge)


def test_vectors(model_id: ModelId, tower: Tower, subjects: Subjects, golden: Golden, own: OwnCode, judge: Judge) -> None:
    """M1 golden's vectors are those of the family's own code, from file and text: one projection, its own pooling."""
    _hold(contract.vectors(tower, subjects, golden, own), judge)


def test_probabilities(model_id: ModelId, subjects: Subjects, golden: Golden, own: OwnCode, judge: Judge) -> None:
    """M2 probabilities are the family's own: its scale and bias, and softmax over texts or the sigmoid of each pair."""
    _hold(contract.probabilities(subjects, golden, own), judge)
