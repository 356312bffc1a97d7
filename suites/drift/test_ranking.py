"""What drift costs a search: answers that no error of the measured size can change, and those that a mixture changes."""

import numpy as np
import pytest

from plugins.golden import Golden
from plugins.matrix import Cell
from plugins.promises import Judge
from plugins.ranking import Flips
from plugins.report import Record
from plugins.subjects import Subjects
from suites.drift.answers import KINDS, MEANING, SIDE_MEANING, SIDES, Answers, Vectors


@pytest.fixture
def answers(subjects: Subjects, golden: Golden, cell: Cell) -> Answers:
    """Text→image, golden's beside the cell's."""
    n = len(subjects.dataset.scenes)
    found = Vectors(subjects.text_embeddings(cell.encoder), subjects.image_embeddings(cell)[:n])
    wanted = Vectors(golden.text, golden.image[:n])
    return subjects.once(("answers", str(cell)), lambda: Answers(wanted, found, subjects.dataset.gold_images))


def test_certificate(answers: Answers, judge: Judge, record: Record) -> None:
    """D4 no answer changes that the certificate covers: where no error of the measured size can reorder, nothing is reordered."""
    covered = 0
    for side in SIDES:
        errors = answers.errors(side)
        for kind in KINDS:
            safe, changed = answers.certified(kind, errors), answers.changed(kind, side)
            covered += int(safe.sum())
            record(f"ranking.{side}.{kind}", {"certified": float(safe.mean()), "changed": int(changed.sum()), "n": len(safe)})
            wrong = np.flatnonzero(safe & changed)
            judge(
                not len(wrong),
                f"{SIDE_MEANING[side]}: the {MEANING[kind]} of {len(wrong)} of {int(safe.sum())} certified queries changed, "
                f"the first is query {wrong[:1].tolist()}",
            )
    if not covered:
        pytest.skip("the error is larger than every margin: the certificate covers no query")


def test_mixing(answers: Answers, judge: Judge, record: Record) -> None:
    """D5 old index, new queries: mixing them changes no more first answers than a re-index would, as far as chance can tell."""
    mixed, anew = answers.changed("first", "queries"), answers.changed("first", "both")
    flips = Flips(int((mixed & ~anew).sum()), int((anew & ~mixed).sum()), len(mixed))
    record("ranking.mixing", {"changed_mixed": int(mixed.sum()), "changed_reindexed": int(anew.sum()), "n": len(mixed)})
    judge(
        flips.kept,
        f"{int(mixed.sum())} of {len(mixed)} first answers change with golden's index and this cell's queries, "
        f"{int(anew.sum())} with this cell's index: re-index before these queries are used",
    )
