"""Judges the class of a cell or a service: whether its vectors may stand beside golden's in one index."""

import pytest

from plugins.cells.promises import Judge
from plugins.measures.vectors.mixtures import Retrieval
from plugins.measures.vectors.same_answers import FEWEST, would_see

KEPT = ("identical", "interchangeable")


def judge_class(found: Retrieval, judge: Judge) -> None:
    """Fail for another class than KEPT; skip with the reason where too few answers were compared.

    The class of random weights is reported and not held against anyone: their margins are smaller than trained ones'.
    """
    if found.verdict == "unjudged":
        pytest.skip(
            f"the class is not given: {found.answers} answers show a loss from {would_see(found.answers):.0%} on; "
            f"{FEWEST} or more images and texts are enough"
        )
    if found.finite and not found.labelled:
        return
    if found.verdict not in KEPT:
        judge(False, f"class {found.verdict}: {found.evidence}", points=found.points_lost)
