"""Larger galleries without a download: new pictures made of the data set's scenes, and the things that each shows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fixtures.capability import Array
from fixtures.datasets import Dataset
from fixtures.errors import Unavailable
from plugins.measures.drift.answers.certificate import Bools

FEWEST = 12  # scenes of one thing, below which pictures repeat each other


@dataclass(frozen=True)
class Things:
    """The things that the data set's scenes show, read from its captions: a thing is what a single-label query names."""

    scenes: NDArray[np.int64]  # [S] rows of scenes that show one thing
    of_scene: NDArray[np.int64]  # [S] which thing
    named: Bools  # [Q, T] things that a query may name: more than it does where all its images show another one too
    labels: NDArray[np.int64]  # [Q] how many it names

    def wrong(self, shown: Bools) -> Bools:
        """[Q, P]: pictures that show [P, T] are surely no answer to a query: they lack something that it names."""
        return np.asarray(self.named.astype(np.int64) @ shown.T.astype(np.int64) < self.labels[:, None])


def things(dataset: Dataset) -> Things:
    """Raises Unavailable for a data set with too few scenes of one thing."""
    each = sorted({query.images for query in dataset.queries if query.labels == 1})
    shows = np.zeros((len(dataset.scenes), len(each)), bool)
    for thing, images in enumerate(each):
        shows[list(images), thing] = True
    alone = [
        row for row, texts in enumerate(dataset.gold_texts)
        if shows[row].sum() == 1 and all(dataset.queries[text].labels == 1 for text in texts)
    ]  # fmt: skip
    if len(alone) < FEWEST:
        raise Unavailable(
            f"the data set has {len(alone)} scenes of one thing, expected {FEWEST} or more to make larger galleries of: "
            "add queries with labels 1 that name them"
        )
    named = np.stack([shows[list(query.images)].all(axis=0) for query in dataset.queries])
    return Things(np.array(alone), shows[alone].argmax(axis=1), named, np.array([query.labels for query in dataset.queries]))


@dataclass(frozen=True)
class Gallery:
    """Pictures that the reference has embedded: raw vectors [P, D], and which of them are surely wrong for a query [Q, P]."""

    vectors: Array
    wrong: Bools


def compose(squares: Array, chosen: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """One picture [3, R, R] of two or three scenes at half their size, squares [S, 3, R/2, R/2], in its four quarters.

    Each quarter is mirrored half of the time; with two scenes both stand twice, with three the first does.
    """
    side = squares.shape[-1]
    spots = chosen[rng.permutation(np.resize(np.arange(len(chosen)), 4))]
    picture = np.zeros((3, 2 * side, 2 * side), np.float32)
    for spot, scene in enumerate(spots):
        top, left = side * (spot // 2), side * (spot % 2)
        picture[:, top : top + side, left : left + side] = squares[scene][:, :, :: rng.choice((-1, 1))]
    return picture


def pictures(squares: Array, count: int, rng: np.random.Generator) -> Iterator[tuple[Array, NDArray[np.int64]]]:
    """`count` pictures with the scenes in them, of two and three scenes by turns; random, the same for the same generator."""
    for number in range(count):
        chosen = rng.choice(len(squares), 2 + number % 2, replace=False)
        yield compose(squares, chosen, rng), chosen


def halves(pixels: Array, resolution: int) -> Array:
    """Pixels [S, 3, R, R] at half their size, each the mean of four: [S, 3, R/2, R/2], rounded up to fill the picture."""
    padded = np.pad(pixels, ((0, 0), (0, 0), (0, resolution % 2), (0, resolution % 2)), mode="edge")
    n, _, side, _ = padded.shape
    return np.asarray(padded.reshape(n, 3, side // 2, 2, side // 2, 2).mean(axis=(3, 5)), np.float32)


def shown(known: Things, chosen: list[NDArray[np.int64]]) -> Bools:
    """[P, T] things that each picture shows, made of the chosen scenes."""
    found = np.zeros((len(chosen), known.named.shape[1]), bool)
    for row, scenes in enumerate(chosen):
        found[row, known.of_scene[scenes]] = True
    return found
