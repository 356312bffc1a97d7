"""A model beside its family's own code: tokens, pixels, vectors and probabilities, as one verdict for a judge after another."""

from collections.abc import Iterator

import numpy as np

from fixtures.capability import Tower
from fixtures.datasets import kinds
from fixtures.errors import Unavailable
from fixtures.images import decoded
from fixtures.models.own_code import OwnCode
from fixtures.spaced import spaced
from fixtures.truth import REFERENCE
from plugins.cells.given_back import CannotRun
from plugins.golden.verified import Golden, names_of
from plugins.measures.vectors.metrics import Comparison, angle, cosine_distance, normalised
from plugins.subjects import Subjects

Verdicts = Iterator[tuple[object, str]]  # what judge() takes: a comparison, or a truth and what was found
FEW = 16  # inputs of a tower that the family's own code encodes
SHORT = ["a", "A red Cat", "", "кошка на диване", "一只猫", "mèo trên ghế"]
CASED = ["a photo of a red cat on a sofa", "кошка на красном диване", "mèo trên ghế sô pha", "ñandú, café"]
SHAPES = ((640, 425), (425, 640), (2162, 762), (61, 90), (401, 400), (97, 300))  # one smaller than most models' input
ROUNDING = 1e-5  # of pixels between libraries that compute in fp32 and in fp64; a level of 8 bits is 4e-3
LOGIT_ROUNDING = 1e-5  # of a logit, as a share: fp32's, over a sum of some hundred products


def _rows(subjects: Subjects, texts: list[str]) -> list[list[int]]:
    """One row a text, each tokenised alone."""
    return [subjects.model.tokenize([text])[0].tolist() for text in texts]


def tokens(subjects: Subjects, own: OwnCode) -> Verdicts:
    """T1: tokens of the data set's texts and of many kinds."""
    texts = [*SHORT, *CASED, *subjects.dataset.texts, *(text for _, text in kinds.texts(subjects.dataset.texts))]
    found, wanted = subjects.model.tokenize(texts), own.tokens(texts)
    yield found.shape == wanted.shape, f"rows of {found.shape[1]} tokens, expected {wanted.shape[1]}"
    names = [repr(text[:60]) for text in texts]
    yield Comparison("tokens that are others", (found != wanted).sum(axis=1).astype(np.float64), 0.0, names), ""


def rows(subjects: Subjects, own: OwnCode) -> Verdicts:
    """T2: rows of short texts, alone and together, and beside a long one."""
    length = own.tokens(["a"]).shape[1]
    for what, texts in (*((f"{text!r} alone", [text]) for text in SHORT), ("short texts together", SHORT)):
        found = subjects.model.tokenize(texts)
        yield found.dtype == np.int64 and found.ndim == 2, f"{found.dtype} of shape {found.shape} for {what}"
        yield found.shape == (len(texts), length), f"{found.shape[1]} tokens for {what}, expected {length}"
        yield int(found.max()) < subjects.model.vocabulary, f"token {found.max()} for {what}, of {subjects.model.vocabulary}"
    together = subjects.model.tokenize([*SHORT, "a very long text " * 100])[: len(SHORT)].tolist()
    for text, row, alone in zip(SHORT, together, _rows(subjects, SHORT), strict=True):
        yield row == alone, f"tokens of {text!r} change beside a long text"


def case(subjects: Subjects) -> Verdicts:
    """T3: texts in capitals. Raises CannotRun where case is kept."""
    if not subjects.model.lower_case:
        raise CannotRun(f"the configuration of {subjects.model_id} keeps the case of texts")
    lower = _rows(subjects, CASED)
    for how, change in (("capitals", str.upper), ("capital first letters", str.title)):
        for text, row, wanted in zip(CASED, _rows(subjects, [change(text) for text in CASED]), lower, strict=True):
            yield row == wanted, f"{text!r} in {how} has other tokens"


def special_tokens(subjects: Subjects, own: OwnCode) -> Verdicts:
    """T4: what stands around a text's own tokens, and what is left of a long one."""
    frame, theirs = subjects.model.frame, own.tokens(["", "a"])
    yield frame == frame.of(*theirs), f"texts stand in {frame}, the family's in {frame.of(*theirs)}"
    whole, cut = _rows(subjects, ["cat " * (frame.length // 4), "cat " * 500])
    last = (*frame.end, frame.pad)[0]
    yield cut[-1] == last, f"a text that is too long ends in token {cut[-1]}, expected {last}"
    fits = len(frame.start) + len(frame.own(np.array(whole))) - 1  # the last one may be joined to what follows
    yield cut[:fits] == whole[:fits], "a text that is too long has another beginning"


def pixels(subjects: Subjects, own: OwnCode) -> Verdicts:
    """P15: pictures that are not square, with sharp edges, on which filters differ most."""
    from PIL import Image

    reference, geometry = subjects.preprocessor(REFERENCE), subjects.model.geometry
    scene = decoded(subjects.dataset.path(subjects.dataset.scenes[0])).convert("RGB")
    far = []
    for shape in SHAPES:
        image = scene.resize(shape, Image.Resampling.NEAREST)
        wanted = own.pixels(image)
        found = reference.transform(reference.from_pil(image), geometry)
        yield found.shape == wanted.shape, f"pixels of shape {found.shape}, expected {wanted.shape}"
        far.append(float(np.abs(found - wanted).max()))
    names = [f"a picture of {width} x {height}" for width, height in SHAPES]
    yield Comparison("largest difference of pixels", np.array(far), ROUNDING, names), ""


def _few(subjects: Subjects, tower: Tower) -> list[int]:
    """Rows of golden's that the family's own code encodes, evenly spaced; images that no two libraries read differently."""
    dataset = subjects.dataset
    if tower == "text":
        return spaced(len(dataset.texts), FEW)
    usable = [row for row, name in enumerate(dataset.images) if subjects.trait(name) == "opaque"]
    return [usable[place] for place in spaced(len(usable), FEW)]


def _prepared(subjects: Subjects, own: OwnCode, tower: Tower, rows: list[int]) -> np.ndarray:
    dataset = subjects.dataset
    if tower == "text":
        return own.tokens([dataset.texts[row] for row in rows])
    return np.stack([own.pixels(decoded(dataset.path(dataset.images[row]))) for row in rows])


def vectors(tower: Tower, subjects: Subjects, golden: Golden, own: OwnCode) -> Verdicts:
    """M1: golden's vectors of some files or texts."""
    rows = _few(subjects, tower)
    names = [names_of(subjects, tower)[row] for row in rows]
    batch = _prepared(subjects, own, tower, rows)
    found = np.concatenate([own.vectors(row[None], tower) for row in batch])
    wanted = (golden.image if tower == "image" else golden.text)[rows]
    yield found.shape == wanted.shape, f"vectors of shape {wanted.shape}, the family's {found.shape}"
    limits = golden.limits("fp32", tower, "cosine_distance", names)
    yield Comparison("cosine distance to the family's own vector", cosine_distance(wanted, found), limits, names), ""


def probabilities(subjects: Subjects, golden: Golden, own: OwnCode) -> Verdicts:
    """M2: probabilities of some pairs. Raises CannotRun for a model without a logit scale."""
    try:
        similarity = subjects.model.similarity
    except Unavailable as reason:
        raise CannotRun(str(reason)) from None
    rows: dict[Tower, list[int]] = {"image": _few(subjects, "image")[:4], "text": _few(subjects, "text")[:4]}
    images, texts = (_prepared(subjects, own, tower, rows[tower]) for tower in rows)
    wanted = own.probabilities(images, texts)
    cosines = normalised(golden.image[rows["image"]]) @ normalised(golden.text[rows["text"]]).T
    found = similarity.probabilities(cosines)
    turns = 0.0  # what both vectors may turn, which is more than their cosine changes
    for tower, chosen in rows.items():
        each = [names_of(subjects, tower)[row] for row in chosen]
        turns += float(angle(golden.limits("fp32", tower, "cosine_distance", each)).max())
    room = similarity.scale * turns + LOGIT_ROUNDING * float(np.abs(similarity.logits(cosines)).max())
    names = [
        f"{subjects.dataset.images[i]} with {subjects.dataset.texts[t][:40]!r}" for i in rows["image"] for t in rows["text"]
    ]
    share = np.abs(found - wanted) / np.maximum(wanted, np.finfo(np.float64).tiny)
    yield Comparison("difference of a probability, as its share", share.ravel(), 2 * room, names), ""
