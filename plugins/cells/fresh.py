"""`--seed`: inputs that are drawn anew in each run, with torch eager fp32's vectors of them, computed in this run."""

import os
import secrets
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from fixtures import truth
from fixtures.capability import Array, Tokens, Tower
from fixtures.datasets import fresh
from plugins.measures.vectors.metrics import cosine_distance
from plugins.subjects import Subjects

COUNT = 32  # inputs a tower
VARIABLE = "CLIP_CONFORMANCE_SEED"  # the processes of one run draw the same


@dataclass(frozen=True)
class Fresh:
    """Inputs of one tower (pixels [32, 3, R, R] or tokens [32, L]), their names, and the reference's vectors [32, D]."""

    inputs: Array | Tokens
    names: list[str]
    wanted: Array


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --seed."""
    parser.getgroup("clip-conformance").addoption(
        "--seed", type=int, metavar="N", help="of the inputs that are drawn for this run [a new one in each run]"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Choose the seed, once for the run and all its processes."""
    if config.option.seed is None:
        config.option.seed = int(os.environ.get(VARIABLE) or secrets.randbelow(2**31))
    os.environ[VARIABLE] = str(config.option.seed)


def pytest_report_header(config: pytest.Config) -> str:
    """Print the seed."""
    return f"seed: {config.option.seed} of the inputs that are drawn for this run; --seed={config.option.seed} repeats them"


def drawn(subjects: Subjects, tower: Tower, seed: int) -> Fresh:
    """Return this run's inputs of a tower; computed once a run."""

    def make() -> Fresh:
        if tower == "text":
            words = fresh.texts(subjects.dataset.texts, COUNT, seed)
            inputs: Array | Tokens = subjects.model.tokenize(words)
            names = [f"{text!r} (seed {seed})" for text in words]
        else:
            rows = range(len(subjects.dataset.images))
            inputs = fresh.images(subjects.pixels(truth.REFERENCE).rows(rows), COUNT, seed)
            names = [f"image {i} of seed {seed}" for i in range(COUNT)]
        return Fresh(inputs, names, truth.reference(subjects.model, inputs, tower, iter))

    return subjects.once(("fresh", tower, seed), make)


def own_errors(subjects: Subjects, tower: Tower, seed: int, precision: str) -> NDArray[np.float64]:
    """Return the cosine distances [32] that the reference itself makes at this precision; computed once a run."""
    inputs = drawn(subjects, tower, seed)
    if precision == "fp32":
        return np.zeros(len(inputs.names))

    def make() -> NDArray[np.float64]:
        return cosine_distance(truth.at_precision(subjects.model, precision, inputs.inputs, tower), inputs.wanted)

    return subjects.once(("own errors", tower, seed, precision), make)
