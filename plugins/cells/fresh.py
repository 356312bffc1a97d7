"""`--seed`: inputs that are drawn anew in each run."""

import os
import secrets

import pytest

from fixtures import truth
from fixtures.capability import Array, Tokens, Tower
from fixtures.datasets import fresh
from plugins.cells.beside import Beside, beside
from plugins.subjects import Subjects

COUNT = 32  # inputs a tower
VARIABLE = "CLIP_CONFORMANCE_SEED"  # the processes of one run draw the same


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


def drawn(subjects: Subjects, tower: Tower, seed: int) -> Beside:
    """Return this run's inputs of a tower; computed once a run."""

    def make() -> tuple[list[str], Array | Tokens]:
        if tower == "text":
            words = fresh.texts(subjects.dataset.texts, COUNT, seed)
            return [f"{text!r} (seed {seed})" for text in words], subjects.model.tokenize(words)
        rows = range(len(subjects.dataset.images))
        found = fresh.images(subjects.pixels(truth.REFERENCE).rows(rows), COUNT, seed)
        return [f"image {i} of seed {seed}" for i in range(COUNT)], found

    return beside(subjects, ("fresh", tower, seed), tower, make)
