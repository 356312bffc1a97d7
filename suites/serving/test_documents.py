"""What a service promises on documents: image files and texts as users send them, with its own preprocessing and tokeniser."""

from collections.abc import Sequence

import numpy as np

from fixtures.capability import TOWERS, Array, Tower
from fixtures.cells import EncoderKey
from plugins.cells.classed import judge_class
from plugins.cells.compared import compare_calls
from plugins.cells.form import BrokenForm
from plugins.cells.promises import Judge
from plugins.golden.verified import names_of
from plugins.measures.vectors.answers import first_texts, worst_answer
from plugins.measures.vectors.drift import Drift
from plugins.measures.vectors.metrics import Comparison
from plugins.measures.vectors.mixtures import retrieve
from plugins.measures.vectors.recall import recalls
from plugins.report.rows import Record
from plugins.serving import load, outages
from plugins.serving.answers import Answers
from plugins.serving.explain import explanation
from plugins.subjects import Subjects

COSINE = "cosine_distance"
UNIT = 1e-3  # how far the length of a normalised vector may be from 1: fp16's rounding
FARTHEST = 2.0  # cosine distance, which a refusal counts as: known failures have a bound
FEW = 16  # documents of each kind in tests of requests


def _judged(answers: Answers, tower: Tower, judge: Judge, record: Record, where: str) -> None:
    drift = answers.drift(tower)
    record(f"drift.{where}", drift.report())
    comparison = drift.comparison(COSINE)
    if not comparison:
        why = explanation(answers.subjects, drift, tower)
        judge(False, f"{comparison}\n{why}", **comparison.sizes)


def test_form(service_key: EncoderKey, answers: Answers, tower: Tower, judge: Judge) -> None:
    """S1 a vector a document, finite and as wide as golden's; no documents give none."""
    empty = answers.embed([], tower)
    judge(len(empty) == 0, f"no documents give {len(empty)} vectors")
    broken = np.flatnonzero(~np.isfinite(answers.vectors[tower]).all(axis=1))
    judge(not len(broken), f"NaN or Inf for {len(broken)} of {len(answers.vectors[tower])} {tower}s")


def test_images(service_key: EncoderKey, answers: Answers, judge: Judge, record: Record) -> None:
    """S2 an image file's vector points where golden's points, within the declared precision and preprocessing."""
    _judged(answers, "image", judge, record, "image")


def test_texts(service_key: EncoderKey, answers: Answers, judge: Judge, record: Record) -> None:
    """S3 a text's vector points where golden's points, within the declared precision: any case, script, length and form."""
    _judged(answers, "text", judge, record, "text")


def test_length(service_key: EncoderKey, answers: Answers, tower: Tower, judge: Judge) -> None:
    """S4 a vector has length 1 if the service declares it normalised, golden's length if not."""
    drift = answers.drift(tower)
    if not answers.service.normalised:
        judge(drift.comparison("norm_ratio"))
        return
    lengths = np.linalg.norm(np.asarray(drift.found, np.float64), axis=1)
    metric = "difference of a vector's length from 1"
    judge(Comparison(metric, np.abs(lengths - 1), UNIT, drift.names, "norm_ratio"))


def _hold(judge: Judge, what: str, found: Array, drift: Drift, rows: Sequence[int]) -> None:
    """Vectors beside the service's own of the same documents, in direction and length."""
    for comparison in compare_calls(f"{what} to its own vector", found, drift.found[list(rows)], drift, rows):
        judge(comparison)


def test_requests(service_key: EncoderKey, answers: Answers, tower: Tower, judge: Judge) -> None:
    """S5 a document's vector depends on nothing else in its request: alone, in another order, beside its like."""
    drift, documents = answers.drift(tower), answers.documents[tower]
    rows = list(range(0, len(documents), max(1, len(documents) // FEW)))[:FEW]
    for how, order in (("in reversed order", rows[::-1]), ("beside equal ones", [rows[i // 2] for i in range(FEW)])):
        most = answers.service.max_batch or len(order)
        parts = [order[i : i + most] for i in range(0, len(order), most)]
        found = np.concatenate([answers.embed([documents[i] for i in part], tower) for part in parts])
        _hold(judge, f"a document {how}", found, drift, order)
    alone = np.concatenate([answers.embed([documents[i]], tower) for i in rows])
    _hold(judge, "a document alone", alone, drift, rows)


def test_load(service_key: EncoderKey, answers: Answers, tower: Tower, judge: Judge) -> None:
    """S6 right vectors while busy: 1 to 16 clients at once, requests of mixed sizes."""
    drift = answers.drift(tower)
    for clients, rows, found, refused in load.loaded(answers, tower):
        judge(not refused, f"{len(refused)} requests of {clients} clients were refused, the first: {refused[:1]}")
        _hold(judge, f"a document from one of {clients} clients", found, drift, rows)


def test_trouble(service_key: EncoderKey, answers: Answers, judge: Judge) -> None:
    """S7 a file that is no image is refused, alone and beside good ones; the next request gets right vectors."""
    drift, documents = answers.drift("image"), answers.documents["image"]
    good = documents[0]
    assert isinstance(good, bytes)
    for what, bad in (("an empty file", b""), ("text", b"no image at all"), ("a file cut in half", good[: len(good) // 2])):
        for files in ([bad], [good, bad]):
            try:
                answers.encoder.embed_images(files)
            except Exception:  # whichever way it refuses
                refused = True
            else:
                refused = False
            judge(refused, f"{what} in a request of {len(files)} was answered with a vector, expected a refusal")
        found = outages.asked_again(answers, [good], "image")
        if isinstance(found, str):
            judge(False, f"after {what}, a good file was refused: {found}", cosine_distance=FARTHEST)
        else:
            _hold(judge, f"a document after {what}", found, drift, [0])


def test_many(service_key: EncoderKey, answers: Answers, judge: Judge) -> None:
    """S9 10,000 texts in one request get their own vectors, or are refused together; the next request gets right ones."""
    drift = answers.drift("text")
    try:
        rows, found = load.many(answers)
    except BrokenForm as trouble:
        judge(False, f"a request of {load.MANY:,} texts: {trouble}")
        return
    if not isinstance(found, str):
        _hold(judge, f"a text in a request of {len(rows):,}", found, drift, rows)
    text = answers.documents["text"][0]
    _hold(judge, f"a text after a request of {len(rows):,}", answers.embed([text], "text"), drift, [0])


def test_class(service_key: EncoderKey, answers: Answers, subjects: Subjects, judge: Judge, record: Record) -> None:
    """S8 the service's vectors may stand beside golden's in one index: every mixture keeps golden's recall and answers."""
    golden, dataset, queries = answers.golden, subjects.dataset, len(subjects.dataset.queries)
    images = golden.image.copy()  # where the service takes no image of a type, or has one tower, golden's stands in
    texts = answers.vectors.get("text", golden.text)
    if "image" in answers.vectors:
        images[answers.rows] = answers.vectors["image"]
    n = len(dataset.scenes)
    fp32 = [golden.limits("fp32", tower, COSINE, names_of(subjects, tower)) for tower in TOWERS]
    limits = (fp32[0][:n], fp32[1][:queries])
    of_golden, labelled = (golden.image[:n], golden.text[:queries]), not subjects.model.random
    found = retrieve(dataset, images[:n], texts[:queries], *of_golden, limits, labelled=labelled)
    everything = found.flips("text_to_image")
    measured = {"change": everything.change, "ci95": everything.interval, "n": everything.n}
    record("class", found.verdict)
    if labelled:
        record("retrieval.text_to_image", {**recalls(found.text_to_image["cell", "cell"]), **measured})
        then = first_texts(found.images[0], found.texts[0], dataset)
        record("worst_answer", worst_answer(dataset, found, then))
    judge_class(found, judge)
