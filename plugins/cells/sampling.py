"""Where an encoder is very slow, one of its preprocessors runs on all images and the others on a sample; `--whole`: all do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fixtures.cells import Cell, EncoderKey
from fixtures.datasets import Dataset
from fixtures.errors import Unavailable
from fixtures.registry import preprocessors
from fixtures.truth import REFERENCE
from plugins.cells.given_back import CannotRun
from plugins.cells.matrix import subject
from plugins.measures.latency.paired import Block, pair
from plugins.measures.latency.reference import calls_of, reference_key
from plugins.subjects import Subjects

if TYPE_CHECKING:
    from plugins.report.rows import Record

# Cells whose precision the processor multiplies in take up to 1.3 times what torch eager fp32 takes for an image; bf16 and fp16
# on a processor that lacks such products 4 to 14 times.
SLOW = 3.0
LONG_S = 10.0  # seconds that all images take one by one: a sample of fewer saves nothing that anybody waits for
SIZE = 64  # images: all odd ones, for they have the rare traits, and scenes
FEWEST_SCENES = 32  # where there are many odd ones
PAIRS = 5  # of blocks of two calls each: the fastest of ten calls, none of them far from one of the other's


@dataclass(frozen=True)
class Sample:
    """What a cell runs on in place of all images."""

    rows: list[int]  # of Dataset.images
    of: int
    times: float  # how much longer than the reference its encoder takes
    because: str

    def allow_for(self, promise: str, cell: Cell) -> None:
        """Skip a test whose known failure did not show: it may be one of the other images that shows it."""
        if promise in cell.known_failures():
            pytest.skip(f"the known failure of {promise} does not show on a sample. {self.because}")


@pytest.fixture
def sample(subjects: Subjects, cell: Cell, request: pytest.FixtureRequest, record: "Record") -> Sample | None:
    """The cell's sample; None where it runs on all images."""
    if request.config.getoption("--whole"):
        return None
    found = subjects.once(("sample", str(cell)), lambda: choose(subjects, cell, request.session.items))
    if found:
        record("sampled", {"images": len(found.rows), "of": found.of, "times_reference": found.times})
    return found


def choose(subjects: Subjects, cell: Cell, items: Sequence[pytest.Item]) -> Sample | None:
    """None for a quick encoder, for the first of its preprocessors, and for pixels of which it has encoded all but a few."""
    dataset, key = subjects.dataset, cell.encoder
    rows, n = spread(dataset), len(dataset.images)
    if not worth_while(subjects, key):
        return None
    first = subjects.once(("first preprocessor", str(key)), lambda: first_of(items, key))
    if cell.preprocessor == first or subjects.unknown(cell) <= len(rows):
        return None
    times = subjects.once(("times the reference", str(key)), lambda: times_the_reference(subjects, key))
    if times < SLOW:
        return None
    because = (
        f"{key} takes {times:.1f} times as long as {reference_key(key)} for an image: {first} runs on all {n}, "
        f"other preprocessors on {len(rows)} of them, which says nothing of recall; --whole runs all on all"
    )
    return Sample(rows, n, times, because)


def spread(dataset: Dataset) -> list[int]:
    """Rows of SIZE images: all odd ones, the rest evenly spaced scenes, but no fewer than FEWEST_SCENES."""
    scenes = len(dataset.scenes)
    wanted = min(scenes, max(SIZE - len(dataset.odd), FEWEST_SCENES))
    return [*(i * scenes // wanted for i in range(wanted)), *range(scenes, len(dataset.images))]


def worth_while(subjects: Subjects, key: EncoderKey) -> bool:
    """False where a whole set takes no time that anybody waits for, going by the warm-up, and for the reference itself."""
    whole_s = subjects.encoder(key).warm_up["image"].steady_ms / 1e3 * len(subjects.dataset.images)
    return whole_s >= LONG_S and reference_key(key) != key


def first_of(items: Sequence[pytest.Item], key: EncoderKey) -> str:
    """The preprocessor that runs on all images: the reference's, or the first that can run here, of those selected."""
    abouts = (subject(item) for item in items)
    names = [about.preprocessor for about in abouts if isinstance(about, Cell) and about.encoder == key]
    usable = [name for name in dict.fromkeys(names) if _available(name)]
    return REFERENCE if REFERENCE in usable else next(iter([*usable, *names]))


def _available(name: str) -> bool:
    try:
        preprocessors()[name].available()
    except Unavailable:
        return False
    return True


def times_the_reference(subjects: Subjects, key: EncoderKey) -> float:
    """How many times as long as torch eager fp32 this encoder takes for an image; 1 where that cannot be had.

    Both are timed here, in alternation: they were warmed up at different moments, perhaps beside different loads.
    """
    loaded = subjects.encoder(key)
    try:
        _, reference = subjects.reference(key, "image")
    except CannotRun:
        return 1.0
    times = ratio(calls_of(loaded.encoder, subjects.rotating_inputs("image"), "image"), reference)
    loaded.encoder.restore_settings()
    return times


def ratio(ours: Block, other: Block) -> float:
    """Of the fastest calls of PAIRS pairs of blocks."""
    rng = np.random.default_rng()
    mine, others = np.min([pair(ours, other, rng, calls=1) for _ in range(PAIRS)], axis=0)
    return float(mine / others)
