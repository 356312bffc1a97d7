"""What drift costs a search: answers that no error of the measured size can change, and those that a mixture changes."""

import pytest

from fixtures.cells import Cell
from plugins.cells.promises import Judge
from plugins.golden.verified import Golden
from plugins.measures.drift.answers.answers import KINDS, SIDES, Answers, GoldenAnswers, Vectors
from plugins.measures.vectors.recall import Flips
from plugins.report.rows import Record
from plugins.subjects import Subjects


@pytest.fixture(params=("text_to_image", "image_to_text"))
def direction(request: pytest.FixtureRequest) -> str:
    """Which tower asks."""
    return str(request.param)


@pytest.fixture
def answers(subjects: Subjects, golden: Golden, cell: Cell, direction: str) -> Answers:
    """Golden's answers beside the cell's; only scenes that some query describes ask for texts."""
    dataset, n, q = subjects.dataset, len(subjects.dataset.scenes), len(subjects.dataset.queries)
    images, texts = subjects.image_embeddings(cell)[:n], subjects.text_embeddings(cell.encoder)[:q]

    def make() -> Answers:
        if direction == "text_to_image":
            wanted = GoldenAnswers(Vectors(golden.text[:q], golden.image[:n]), dataset.gold_images)
            return Answers(wanted, Vectors(texts, images))
        asking = [row for row, gold in enumerate(dataset.gold_texts) if gold]
        wanted = GoldenAnswers(Vectors(golden.image[asking], golden.text[:q]), [dataset.gold_texts[row] for row in asking])
        return Answers(wanted, Vectors(images[asking], texts))

    return subjects.once(("answers", str(cell), direction), make)


def certificates(answers: Answers) -> dict[str, dict[str, dict[str, float]]]:
    """By side and kind: the share of answers that no error of the measured size can change, and how many did change."""
    if len(answers.golden.vectors.items) < 2:
        return {}  # nothing can be reordered
    found: dict[str, dict[str, dict[str, float]]] = {}
    for side in SIDES:
        errors = answers.errors(side)
        for kind in KINDS:
            safe, changed = answers.certified(kind, errors), answers.changed(kind, side)
            found.setdefault(side, {})[kind] = {
                "certified": float(answers.certified(kind, errors.largest).mean()),  # as if all vectors had the worst error
                "certified_own": float(safe.mean()),  # with the error of each vector
                "changed": int(changed.sum()),
                "n": len(safe),
            }
    return found


def test_mixing(answers: Answers, direction: str, judge: Judge, record: Record) -> None:
    """D5 old index, new queries: mixing them changes no more first answers than a re-index would, as far as chance can tell."""
    mixed, anew = answers.changed("first", "queries"), answers.changed("first", "both")
    flips = Flips(int((mixed & ~anew).sum()), int((anew & ~mixed).sum()), len(mixed))
    found = {
        "changed_mixed": int(mixed.sum()),
        "changed_reindexed": int(anew.sum()),
        "n": len(mixed),
        "re_index": not flips.kept,
    }
    record(f"ranking.{direction}", {**certificates(answers), "mixing": found})
    judge(
        flips.kept,
        f"{int(mixed.sum())} of {len(mixed)} first answers change with golden's index and this cell's queries, "
        f"{int(anew.sum())} with this cell's index: re-index before these queries are used",
    )
