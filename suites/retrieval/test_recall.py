"""What a cell promises about search: golden's hits, and which vectors may stand beside which."""

from plugins.cells.classed import judge_class
from plugins.cells.promises import Judge
from plugins.measures.drift.answers.answers import Answers, GoldenAnswers, Vectors
from plugins.measures.drift.answers.flips import golden_tail, may_flip
from plugins.measures.storage.beside_golden import filled_by, in_storage
from plugins.measures.vectors.answers import first_texts, worst_answer
from plugins.measures.vectors.mixtures import GOLDEN, MIXTURES, PURE, Retrieval
from plugins.measures.vectors.recall import recalls
from plugins.measures.vectors.same_answers import SameAnswers
from plugins.report.rows import Record
from plugins.subjects import Subjects

NAMED = {mixture: f"{mixture[0]} images, {mixture[1]} texts" for mixture in MIXTURES[1:]}


def test_text_to_image(recall: Retrieval, judge: Judge, record: Record) -> None:
    """R1 text→image: single-, double- and triple-label queries keep golden's hits, as far as chance can tell."""
    found: dict[str, object] = {**recalls(recall.text_to_image[PURE])}
    everything = recall.flips("text_to_image")
    found |= {"change": everything.change, "ci95": everything.interval, "n": everything.n}
    by_labels = {n: recall.flips("text_to_image", labels=n) for n in sorted(set(recall.labels.tolist()))}
    for labels, flips in by_labels.items():
        chosen = recall.labels == labels
        found[str(labels)] = {
            "score": recalls(recall.text_to_image[PURE][chosen])["r1"],
            "golden": recalls(recall.text_to_image[GOLDEN][chosen])["r1"],
            "flips": flips.lost + flips.won,
            "n": flips.n,
        }
    record("retrieval.text_to_image", found)
    judge(everything.kept, f"R@1 changed by {everything}", points=-everything.change)
    for labels, flips in by_labels.items():
        judge(flips.kept, f"R@1 of queries that name {labels} changed by {flips}", points=-flips.change)


def test_image_to_text(recall: Retrieval, judge: Judge, record: Record) -> None:
    """R2 image→text keeps golden's hits, as far as chance can tell."""
    flips = recall.flips("image_to_text")
    found, golden = (recalls(recall.image_to_text[mixture]) for mixture in (PURE, GOLDEN))
    scores = {"score": found["r1"], "golden": golden["r1"]}
    record("retrieval.image_to_text", {**found, **scores, "flips": flips.lost + flips.won, "n": flips.n})
    judge(flips.kept, f"R@1 changed by {flips}", points=-flips.change)


def answers_stay(same: tuple[SameAnswers, SameAnswers]) -> dict[str, dict[str, float]]:
    """The report's form of how many of golden's answers stay."""
    shares = {name: each.shares for name, each in zip(("text_to_image", "image_to_image"), same, strict=True)}
    return {name: {"first": first, "nearest": nearest} for name, (first, nearest) in shares.items()}


def test_class(retrieval: Retrieval, subjects: Subjects, judge: Judge, record: Record) -> None:
    """C2 the cell's vectors may stand beside golden's in one index: every mixture keeps golden's recall and answers."""
    if retrieval.neighbours:
        overlap, tau = retrieval.neighbours
        record("retrieval.image_to_image", {"overlap_at_10": overlap, "kendall_tau": tau})
    record("class", retrieval.verdict)
    if retrieval.finite:
        record("answers_stay", {name: answers_stay(retrieval.same[mixture]) for mixture, name in NAMED.items()})
    if retrieval.labelled:
        for name, found in subjects.once(("with labels", id(retrieval)), lambda: _with_labels(retrieval, subjects)).items():
            record(name, found)
    judge_class(retrieval, judge)


def _with_labels(retrieval: Retrieval, subjects: Subjects) -> dict[str, object]:
    """What needs right answers, by its name in a row: random weights have none."""
    (images, found_images), (texts, found_texts) = retrieval.images, retrieval.texts
    then = subjects.once("golden's first texts", lambda: first_texts(images, texts, subjects.dataset))
    found: dict[str, object] = {"worst_answer": worst_answer(subjects.dataset, retrieval, then)}
    golden = subjects.once("answers", lambda: GoldenAnswers(Vectors(texts, images), subjects.dataset.gold_images))
    answers = Answers(golden, Vectors(found_texts, found_images))
    tail = subjects.once("tail of wrong scores", lambda: golden_tail(golden))
    if tail and retrieval.finite:
        found["may_flip"] = may_flip(answers, tail)
    filled = subjects.once("filled indexes", lambda: filled_by(golden))
    if stored := in_storage(filled, answers, retrieval.round_off):
        found["in_storage"] = stored
    return found | {"mixtures_keep_recall": {name: retrieval.kept(mixture) for mixture, name in NAMED.items()}}
