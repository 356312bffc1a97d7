"""What a campaign consists of: each command under each condition on each cell with each plant, so many times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from fixtures.capability import TOWERS, Tower
from suites.studies.gate_power.commands.plants import NOTHING, PLANTS, Plant
from suites.studies.gate_power.trial import CONDITIONS

AGAINST, AGAINST_1 = "against", "against, 1 % allowed"
COMPARE, COMPARE_2 = "compare", "compare, 2 % allowed"
SELECTION, ALONE = "selection of 12", "pytest-benchmark alone"
PLANTED_IN = (AGAINST, AGAINST_1, COMPARE, COMPARE_2, ALONE)  # a selection of equal code has no plant


@dataclass(frozen=True)
class Cell:
    """A backend of gate_subject.py with a model."""

    name: str
    subject: str
    model: str
    pretrained: str = ""


CELLS = {
    cell.name: cell
    for cell in (
        Cell("torch", "TorchSubject", "scenes-s"),
        Cell("onnxruntime", "OnnxSubject", "scenes-s"),
        Cell("torch, 50 ms", "TorchSubject", "ViT-B-32", "random:0"),
    )
}
ALL_CELLS = "12 comparisons"  # the selection's


@dataclass(frozen=True)
class Row:
    """What share of which trials is counted together."""

    command: str
    condition: str
    cell: str
    plant: Plant

    @property
    def id(self) -> str:
        """As it is selected on the command line."""
        return f"{self.command}/{self.condition}/{self.cell}/{self.plant.name}"


@dataclass(frozen=True)
class Trial:
    """One run of a row's command."""

    row: Row
    repeat: int

    @property
    def towers(self) -> tuple[Tower, ...]:
        """Where it is planted: trials take turns, so that a row says of both how well they are watched."""
        return (TOWERS[self.repeat % len(TOWERS)],)


ROWS = [
    *(Row(c, condition, cell, plant) for c in PLANTED_IN for condition in CONDITIONS for cell in CELLS for plant in PLANTS),
    *(Row(SELECTION, condition, ALL_CELLS, NOTHING) for condition in CONDITIONS),
]
# The rows that tell most in 10 minutes.
QUICK = tuple(
    f"{command}/neighbour/torch/{plant}"
    for command, plants in {
        AGAINST_1: ("nothing", "10 %"),
        COMPARE: ("nothing", "10 %"),
        ALONE: ("nothing", "10 %"),
    }.items()
    for plant in plants
)


def chosen(patterns: Sequence[str]) -> list[Row]:
    """The rows whose ids fit one of the patterns, as file names do; all without a pattern."""
    return [row for row in ROWS if not patterns or any(fnmatchcase(row.id, pattern) for pattern in patterns)]


def plan(rows: Sequence[Row], trials: int, seed: int) -> Iterator[Trial]:
    """Each row so many times: rounds of all rows, each in a random order of its own.

    A campaign that ends early has as many trials of each row, give or take one, and every row meets every hour of the machine.
    """
    for repeat in range(trials):
        order = np.random.default_rng([seed, repeat]).permutation(len(ROWS))
        here = set(rows)
        yield from (Trial(ROWS[i], repeat) for i in order if ROWS[i] in here)
