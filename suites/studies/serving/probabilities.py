"""Similarity probabilities of a handful of captions, side by side per backend, and how far each may be off.

As the Chinese-CLIP deployment guide prints them: logits are exp(logit_scale) times the cosine of image and caption.
A model with a bias (SigLIP) judges each pair alone.
"""

from pathlib import Path

import numpy as np
from typing_extensions import TypedDict

from fixtures.capability import TOWERS, Array
from fixtures.errors import Unavailable
from fixtures.models.similarity import Similarity
from fixtures.spaced import spaced
from plugins.golden.verified import Golden, names_of
from plugins.measures.vectors.metrics import Float64, angle, normalised
from plugins.subjects import Subjects
from suites.studies.serving.documents import DIRECTION, Pool, Subject

IMAGES, CAPTIONS = 3, 4  # the guide shows one image and four captions
ROUNDING = 1e-12  # of a probability in float64


class Question(TypedDict):
    """One image and captions, the first of which describes it; golden's probabilities."""

    image: str
    captions: list[str]
    golden: list[float]


class Row(TypedDict):
    """One cell's or service's answers to all questions; a difference is one probability's from golden's."""

    subject: str
    probabilities: list[list[float]]
    largest: float  # difference
    allowed: float  # the largest difference that its tolerance allows
    share: float  # the largest part that a difference uses of what is allowed for its probability
    broken: bool
    declared: bool  # it declares that its vectors point elsewhere than golden's


def questions(subjects: Subjects, golden: Golden) -> list[tuple[Pool, Pool, Question]]:
    """Scenes with a caption, each with its own and those that golden likes best of captions that other scenes alone have."""
    data, names = subjects.dataset, names_of(subjects, "text")
    own = {query.images[0]: row for row, query in reversed([*enumerate(data.queries)])}
    opaque = [image for image in sorted(own) if subjects.trait(data.scenes[image]) == "opaque"]
    found = []
    for image in (opaque[place] for place in spaced(len(opaque), IMAGES, last=False)):
        others = [row for row in own.values() if image not in data.queries[row].images]
        liked = np.argsort(-_cosines(golden.image[[image]], golden.text[others]), kind="stable")
        rows = [own[image], *(others[at] for at in liked[: CAPTIONS - 1])]
        name, texts = data.scenes[image], [data.texts[row] for row in rows]
        said = subjects.model.similarity.probabilities(_cosines(golden.image[[image]], golden.text[rows]))
        picture = Pool([image], [name], [Path(data.path(name)).read_bytes()])
        question: Question = {"image": name, "captions": texts, "golden": said.tolist()}
        found.append((picture, Pool(rows, [names[row] for row in rows], texts), question))
    return found


def answered(subject: Subject, subjects: Subjects, golden: Golden) -> Row:
    """Its probabilities; raises Unavailable if it has one tower alone, the model no logit scale, or the data no question."""
    if missing := [tower for tower in TOWERS if tower not in subject.towers]:
        raise Unavailable(f"it has no {missing[0]} tower")
    if not (asked := questions(subjects, golden)):
        raise Unavailable(f"{subjects.dataset.folder} has no opaque scene that is the first image of a caption")
    if refused := [name for images, _, _ in asked for name in images.names if not subject.takes(name)]:
        raise Unavailable(f"it takes no file of {refused[0]}'s type, which is asked about")
    said, differences, rooms = list[list[float]](), list[Float64](), list[Float64]()
    for images, texts, question in asked:
        cosines = _cosines(subject.embed(images.documents, "image"), subject.embed(texts.documents, "text"))
        found, wanted = subjects.model.similarity.probabilities(cosines), np.array(question["golden"])
        turns = angle(subject.from_golden(images.names, "image")) + angle(subject.from_golden(texts.names, "text"))
        low, high = bounds(_cosines(golden.image[images.rows], golden.text[texts.rows]), turns, subjects.model.similarity)
        said.append(found.tolist())
        differences.append(found - wanted)
        rooms.append(np.where(found >= wanted, high - wanted, wanted - low))
    off, room = np.abs(np.concatenate(differences)), np.maximum(np.concatenate(rooms), ROUNDING)
    if not np.isfinite(off).all():
        raise ValueError("one of its vectors is not finite, or all zeros: it has no probabilities")
    return {
        "subject": subject.name,
        "probabilities": said,
        "largest": float(off.max()),
        "allowed": float(room.max()),
        "share": float((off / room).max()),
        "broken": not bool((off <= room).all()),
        "declared": any(subject.declares(DIRECTION[tower], tower) for tower in TOWERS),
    }


def bounds(cosines: Float64, turns: Float64, similarity: Similarity) -> tuple[Float64, Float64]:
    """The least and the greatest probability of each caption [K] if caption and image turn by `turns` [K] together.

    Two vectors whose angle is t, turned by angles that sum to d, have an angle between t - d and t + d. A probability is
    greatest where its own logit is as great as can be and all others are as small as can be.
    """
    angles = np.arccos(np.clip(cosines, -1.0, 1.0))
    small, great = np.cos(np.minimum(angles + turns, np.pi)), np.cos(np.maximum(angles - turns, 0.0))

    def beside(own: Float64, others: Float64) -> Float64:
        each = (np.where(np.arange(len(own)) == k, own, others) for k in range(len(own)))
        return np.array([similarity.probabilities(found)[k] for k, found in enumerate(each)])

    return beside(small, great), beside(great, small)


def _cosines(image: Array, texts: Array) -> Float64:
    """Of one image [1, D] and captions [K, D], float64 [K]."""
    return np.asarray(normalised(texts) @ normalised(image)[0])
