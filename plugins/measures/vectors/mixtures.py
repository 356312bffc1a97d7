"""Which vectors can share an index: rankings in every mixture of a cell's and golden's vectors, and the cell's class."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fixtures.capability import Array
from fixtures.datasets import Dataset
from plugins.measures.vectors.metrics import Float64, cosine_distance, normalised
from plugins.measures.vectors.recall import Flips, Ints, flips, numbers, ranks_of
from plugins.measures.vectors.same_answers import FEWEST, SameAnswers, Scores, neighbour_agreement, same_answers

Class = Literal["identical", "interchangeable", "re-index", "broken", "unjudged"]
Mixture = tuple[str, str]  # source of the images, source of the texts: "golden" or "cell"
Ranks = tuple[Ints, Ints]  # of text to image and of image to text, as gold_ranks gives them
MIXTURES: tuple[Mixture, ...] = (("golden", "golden"), ("golden", "cell"), ("cell", "golden"), ("cell", "cell"))
PURE: Mixture = ("cell", "cell")
GOLDEN: Mixture = ("golden", "golden")


def class_of(
    finite: bool, round_off: bool, kept: Callable[[Mixture], bool], same: Callable[[Mixture], bool], answers: int
) -> Class:
    """The strongest class that holds: all vectors finite, all within round-off, and the mixtures that keep recall and in which
    golden's answers stay the same. `answers`, the fewest that were compared, may be too few to see a loss: unjudged."""
    if not finite or not kept(PURE):
        return "broken"
    if round_off:
        return "identical"
    return when_mixed(all(kept(mixture) and same(mixture) for mixture in MIXTURES[1:]), answers)


def when_mixed(kept: bool, answers: int) -> Class:
    """The class of vectors that are good by themselves: `kept` says whether all mixtures keep what `answers` could show."""
    if not kept:
        return "re-index"
    return "interchangeable" if answers >= FEWEST else "unjudged"


@dataclass(frozen=True)
class Retrieval:
    """Ranks of the best gold item in each mixture: [Q] for text→image, [I] for image→text."""

    text_to_image: dict[Mixture, Ints]
    image_to_text: dict[Mixture, Ints]
    # How many of golden's answers stay in each mixture but golden's own: text→image and image→image; no image finds itself.
    same: dict[Mixture, tuple[SameAnswers, SameAnswers]]
    neighbours: tuple[float, float] | None  # overlap and Kendall tau of the cell's images; None if they have no order
    labels: Ints  # [Q], number of things that each query names
    images: tuple[Array, Array]  # golden's and the cell's, of the scenes
    texts: tuple[Array, Array]  # golden's and the cell's, of the queries
    round_off: bool  # True: every vector is within fp32 round-off of golden's
    finite: bool
    labelled: bool = True  # False: the model has random weights, whose recall means nothing; golden's answers alone decide

    @property
    def answers(self) -> int:
        """The fewest answers that were compared, of texts or of images."""
        return min(len(self.images[0]), len(self.texts[0]))

    def flips(self, direction: str, mixture: Mixture = PURE, labels: int | None = None) -> Flips:
        """Return the hits lost and won against golden on the same queries; `labels` selects queries by number of things."""
        ranks = getattr(self, direction)
        chosen = self.labels == labels if labels else slice(None)
        return flips(ranks[mixture][chosen], ranks[GOLDEN][chosen])

    def kept(self, mixture: Mixture) -> bool:
        """Return True if neither direction lost recall in this mixture."""
        return not self.labelled or all(self.flips(direction, mixture).kept for direction in ("text_to_image", "image_to_text"))

    @property
    def verdict(self) -> Class:
        """The class of the cell."""
        return class_of(
            self.finite, self.round_off, self.kept, lambda mixture: all(a.kept for a in self.same[mixture]), self.answers
        )

    @property
    def points_lost(self) -> float:
        """The largest loss of R@1 over all mixtures and directions, in points; infinite if a vector is not finite."""
        changes = [self.flips(direction, m).change for direction in ("text_to_image", "image_to_text") for m in MIXTURES[1:]]
        return -min(changes) if self.finite else math.inf

    @property
    def evidence(self) -> str:
        """The changes of recall and of golden's answers in every mixture, for the message."""
        return "; ".join(
            f"{images} images with {texts} texts: text→image {self.flips('text_to_image', (images, texts))}, "
            f"image→text {self.flips('image_to_text', (images, texts))}, "
            f"text→image {self.same[images, texts][0]}, image→image {self.same[images, texts][1]}"
            for images, texts in MIXTURES[1:]
        )


def others(scores: Float64) -> Float64:
    """Cosines [N, N] of items with each other, without each one's with itself; changed in place."""
    np.fill_diagonal(scores, -np.inf)
    return scores


def both_ways(dataset: Dataset, scores: Float64) -> Ranks:
    """Rank the right images of each text, and the right texts of each image that has one, by cosines [Q, N]."""
    described = [i for i, gold in enumerate(dataset.gold_texts) if gold]
    gold_texts: list[Sequence[int]] = [dataset.gold_texts[i] for i in described]
    return ranks_of(scores, dataset.gold_images), ranks_of(scores.T[described], gold_texts)


@dataclass(frozen=True)
class Own:
    """What golden alone decides, which a caller may keep from one cell to the next."""

    ranks: Ranks
    of_texts: Scores  # with all images
    of_images: Scores  # with all others

    @classmethod
    def of(cls, dataset: Dataset, images: Float64, texts: Float64) -> "Own":
        """From unit vectors [N, D] and [Q, D]."""
        scores = texts @ images.T
        return cls(both_ways(dataset, scores), Scores(scores), Scores(others(images @ images.T)))


def retrieve(
    dataset: Dataset,
    images: Array,
    texts: Array,
    golden_images: Array,
    golden_texts: Array,
    limits: tuple[Float64, Float64],
    own: Own | None = None,
    labelled: bool = True,
) -> Retrieval:
    """Rank all items in all four mixtures. `limits` are the fp32 cosine tolerances of the images and the texts, one per row.

    `labelled`: as of `Retrieval`.
    """
    of_images = {"golden": normalised(golden_images), "cell": normalised(images)}
    of_texts = {"golden": normalised(golden_texts), "cell": normalised(texts)}
    own = own or Own.of(dataset, of_images["golden"], of_texts["golden"])
    ranks, same, neighbours = {GOLDEN: own.ranks}, dict[Mixture, tuple[SameAnswers, SameAnswers]](), None
    for mixture in MIXTURES[1:]:
        i, t = mixture
        scores, near = (numbers(asked @ of_images[i].T) for asked in (of_texts[t], of_images[t]))
        ranks[mixture] = both_ways(dataset, scores)
        neighbouring = Scores(others(near))
        same[mixture] = same_answers(own.of_texts, Scores(scores)), same_answers(own.of_images, neighbouring)
        if mixture == PURE and len(images) > 2:
            neighbours = neighbour_agreement(own.of_images, neighbouring)
    drifts = (cosine_distance(images, golden_images), cosine_distance(texts, golden_texts))
    return Retrieval(
        {mixture: forward for mixture, (forward, _) in ranks.items()},
        {mixture: backward for mixture, (_, backward) in ranks.items()},
        same,
        neighbours,
        np.array([query.labels for query in dataset.queries]),
        (golden_images, images),
        (golden_texts, texts),
        all(bool((d <= limit).all()) for d, limit in zip(drifts, limits, strict=True)),
        bool(np.isfinite(images).all() and np.isfinite(texts).all()),
        labelled,
    )
