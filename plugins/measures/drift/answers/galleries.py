"""Builds larger galleries without a download: new pictures composed of the data set's scenes, and the things in each."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fixtures.capability import Array
from fixtures.datasets import Dataset
from fixtures.errors import Unavailable
from plugins.measures.drift.answers.certificate import Bools

FEWEST = 12  # scenes of one thing; with fewer, pictures repeat each other


@dataclass(frozen=True)
class Things:
    """The things in the data set's scenes, from its captions: each query with one label defines a thing."""

    scenes: NDArray[np.int64]  # [S] rows of scenes that show one thing
    of_scene: NDArray[np.int64]  # [S] the thing in each
    named: Bools  # [Q, T] things that a query may name: all that its images have in common
    labels: NDArray[np.int64]  # [Q] number of things that each query names

    def wrong(self, shown: Bools) -> Bools:
        """Return [Q, P]: True if a picture, with the things `shown` [P, T], lacks a named thing and so is certainly wrong."""
        return np.asarray(self.named.astype(np.int64) @ shown.T.astype(np.int64) < self.labels[:, None])


def things(dataset: Dataset) -> Things:
    """Return the things of a data set; raises Unavailable if it has too few scenes of one thing."""
    each = sorted({query.images for query in dataset.queries if query.labels == 1})
    shows = np.zeros((len(dataset.scenes), len(each)), bool)
    for thing, images in enumerate(each):
        shows[list(images), thing] = True
    alone = [
        row
        for row, texts in enumerate(dataset.gold_texts)
        if shows[row].sum() == 1 and all(dataset.queries[text].labels == 1 for text in texts)
    ]
    if len(alone) < FEWEST:
        raise Unavailable(
            f"the data set has {len(alone)} scenes of one thing, expected {FEWEST} or more to make larger galleries of: "
            "add queries with labels 1 that name them"
        )
    named = np.stack([shows[list(query.images)].all(axis=0) for query in dataset.queries])
    return Things(np.array(alone), shows[alone].argmax(axis=1), named, np.array([query.labels for query in dataset.queries]))


@dataclass(frozen=True)
class Gallery:
    """Pictures that the reference embedded: raw vectors [P, D], and which of them are certainly wrong for each query [Q, P]."""

    vectors: Array
    wrong: Bools


def compose(squares: Array, chosen: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """Return one picture [3, R, R] with two or three half-size scenes, squares [S, 3, R/2, R/2], in its four quarters.

    Each quarter is mirrored half of the time. Of two scenes, both appear twice; of three, the first appears twice.
    """
    side = squares.shape[-1]
    spots = chosen[rng.permutation(np.resize(np.arange(len(chosen)), 4))]
    picture = np.zeros((3, 2 * side, 2 * side), np.float32)
    for spot, scene in enumerate(spots):
        top, left = side * (spot // 2), side * (spot % 2)
        picture[:, top : top + side, left : left + side] = squares[scene][:, :, :: rng.choice((-1, 1))]
    return picture


def pictures(squares: Array, count: int, rng: np.random.Generator) -> Iterator[tuple[Array, NDArray[np.int64]]]:
    """Yield `count` random pictures with the scenes in them, alternately of two and three scenes; `rng` decides them."""
    for number in range(count):
        chosen = rng.choice(len(squares), 2 + number % 2, replace=False)
        yield compose(squares, chosen, rng), chosen


def halves(pixels: Array, resolution: int) -> Array:
    """Return pixels [S, 3, R, R] at half their size, each the mean of four: [S, 3, R/2, R/2], with R/2 rounded up."""
    padded = np.pad(pixels, ((0, 0), (0, 0), (0, resolution % 2), (0, resolution % 2)), mode="edge")
    n, _, side, _ = padded.shape
    return np.asarray(padded.reshape(n, 3, side // 2, 2, side // 2, 2).mean(axis=(3, 5)), np.float32)


def shown(known: Things, chosen: list[NDArray[np.int64]]) -> Bools:
    """Return [P, T]: the things in each picture, from its chosen scenes."""
    found = np.zeros((len(chosen), known.named.shape[1]), bool)
    for row, scenes in enumerate(chosen):
        found[row, known.of_scene[scenes]] = True
    return found
