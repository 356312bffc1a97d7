"""Inputs that are not golden's, with torch eager fp32's vectors of them, computed in this run."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fixtures import truth
from fixtures.bounds import bounds
from fixtures.capability import Array, Encoder, Tokens, Tower
from fixtures.cells import EncoderKey
from fixtures.datasets import kinds
from plugins.cells.form import formed
from plugins.golden.verified import Golden
from plugins.measures.vectors.metrics import Comparison, cosine_distance
from plugins.subjects import Subjects

COSINE = "cosine_distance"


@dataclass(frozen=True)
class Beside:
    """Inputs of one tower (pixels [N, 3, R, R] or tokens [N, L]), their names, and the reference's vectors [N, D]."""

    key: Hashable
    tower: Tower
    names: list[str]
    inputs: Array | Tokens
    wanted: Array

    def own_errors(self, subjects: Subjects, precision: str) -> NDArray[np.float64]:
        """Return the cosine distances [N] that the reference itself makes at this precision; computed once a run."""
        if precision == "fp32":
            return np.zeros(len(self.names))
        return subjects.once(
            ("own errors", self.key, precision),
            lambda: cosine_distance(truth.at_precision(subjects.model, precision, self.inputs, self.tower), self.wanted),
        )


def beside(subjects: Subjects, key: Hashable, tower: Tower, make: Callable[[], tuple[list[str], Array | Tokens]]) -> Beside:
    """Return the names and inputs that `make` gives, with the reference's vectors; computed once a run."""

    def compute() -> Beside:
        names, inputs = make()
        return Beside(key, tower, names, inputs, truth.reference(subjects.model, inputs, tower, iter))

    return subjects.once(("beside", key), compute)


def of_every_kind(subjects: Subjects, tower: Tower, whole: bool = False) -> Beside:
    """Return the inputs of every kind of a tower. A model of more parameters than LARGE gets SAMPLE rows of tokens, evenly
    spaced, unless it is to have the `whole`."""

    def make() -> tuple[list[str], Array | Tokens]:
        model, dataset = subjects.model, subjects.dataset
        if tower == "image":
            return kinds.images(subjects.pixels(truth.REFERENCE).rows(range(len(dataset.scenes))))
        named = kinds.texts(dataset.texts)
        names, rows = kinds.token_rows(model.frame, model.vocabulary)
        chosen = list(range(len(rows))) if whole else truth.sample(model, len(rows))
        written = model.tokenize([text for _, text in named])
        return [name for name, _ in named] + [names[i] for i in chosen], np.concatenate([written, rows[chosen]])

    return beside(subjects, ("every kind", tower), tower, make)


def alone(encoder: Encoder, inputs: Beside, width: int) -> Array:
    """Embeddings of the inputs, float32 [N, width], one a call as the reference: what a batch does to its rows is E4's."""
    return np.concatenate(
        [formed(encoder.encode(row[None], inputs.tower), 1, width, inputs.tower).copy() for row in inputs.inputs]
    )


def declared(key: EncoderKey, tower: Tower) -> float:
    """The cosine distance to which an encoder declares to break E2; 0 if it does not."""
    known = key.known_failures(tower).get("E2")
    return float((bounds("E2", known) or {}).get(COSINE, 0)) if known else 0.0


def compared(subjects: Subjects, golden: Golden, key: EncoderKey, inputs: Beside, found: Array, what: str) -> Comparison:
    """The distances of these vectors to the reference's, with their limits."""
    limits: NDArray[np.float64] = golden.on(key.device).limits_of(
        key.tolerance, inputs.tower, COSINE, inputs.own_errors(subjects, key.tolerance)
    )
    limits = np.maximum(limits, declared(key, inputs.tower))  # golden inputs may be as far from the reference, and so may these
    metric = f"cosine distance of a vector to torch eager fp32's of the same {what}"
    return Comparison(metric, cosine_distance(found, inputs.wanted), limits, inputs.names, COSINE)
