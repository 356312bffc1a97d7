"""Which cells run on a sample of the images, because a cell beside them runs on all of them. `--whole`: none.

- A very slow encoder runs one preprocessor on all images, and none where torch eager, from whose errors the tolerances are
  derived, does so at its precision.
- A preprocessor that declares to break C1 runs on all images with one encoder.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fixtures.cells import Cell, EncoderKey
from fixtures.datasets import Dataset
from fixtures.errors import Unavailable
from fixtures.machine.versions import require_usable
from fixtures.registry import backends, preprocessors
from fixtures.spaced import spaced
from fixtures.truth import REFERENCE
from plugins.cells.given_back import CannotRun
from plugins.cells.matrix import subject
from plugins.measures.latency.paired import Block, pair
from plugins.measures.latency.reference import calls_of, in_turn, reference_key
from plugins.subjects import Subjects

if TYPE_CHECKING:
    from plugins.report.rows import Record

# With hardware support for a precision, an image takes up to 1.3 times what torch eager fp32 takes; bf16 and fp16
# on a processor without such support take 4 to 14 times, or 1.9 to 2.1 when compiled.
SLOW = 1.6
LONG_S = 4.0  # seconds for all images one by one; below this, a sample would save little
BAD_LONG_S = 1.0  # the same for known-bad preprocessors, which are several
SIZE = 64  # images: all odd ones, which have the rare traits, and scenes
FEWEST_SCENES = 32  # scenes, if there are many odd images
PAIRS = 5  # pairs of blocks of two calls: the fastest of ten calls, in alternation with the reference's


@dataclass(frozen=True)
class Sample:
    """The images that a cell runs on instead of all."""

    rows: list[int]  # of Dataset.images
    of: int
    because: str
    times: float | None = None  # of a slow encoder: its time divided by the reference's

    def allow_for(self, promise: str, cell: Cell) -> None:
        """Skip a test whose known failure did not appear: it may need an image outside the sample."""
        if promise in cell.known_failures():
            pytest.skip(f"the known failure of {promise} does not show on a sample. {self.because}")


@pytest.fixture
def sample(subjects: Subjects, cell: Cell, request: pytest.FixtureRequest, record: "Record") -> Sample | None:
    """The cell's sample; None where it runs on all images."""
    if request.config.getoption("--whole"):
        return None
    found = subjects.once(("sample", str(cell)), lambda: choose(subjects, cell, request.session.items))
    if found:
        slow = {} if found.times is None else {"times_reference": found.times}
        record("sampled", {"images": len(found.rows), "of": found.of, **slow})
    return found


def choose(subjects: Subjects, cell: Cell, items: Sequence[pytest.Item]) -> Sample | None:
    """None for cells that run on all images, and if nearly all of the pixels are encoded already."""
    key, rows, n = cell.encoder, spread(subjects.dataset), len(subjects.dataset.images)
    if subjects.unknown(cell) <= len(rows):
        return None
    first = subjects.once(("first preprocessor", str(key)), lambda: first_of(items, key))
    eager = subjects.once(("torch eager beside", str(key)), lambda: torch_eager_beside(items, key))
    others = f"{len(rows)} of them, without a verdict on recall; --whole runs all on all"
    if (cell.preprocessor != first or eager) and (times := _slower(subjects, key)):
        because = f"{key} takes {times:.1f} times as long as {reference_key(key)} for an image: "
        who = f"{eager} runs {first} on all {n}, this one" if eager else f"{first} runs on all {n}, other preprocessors"
        return Sample(rows, n, f"{because}{who} on {others}", times)
    if known_bad(subjects, cell.preprocessor) and whole_s(subjects, key) >= BAD_LONG_S:
        judged = subjects.once(("judged whole", cell.preprocessor), lambda: _judge_of(items, cell))
        if judged != key:
            because = f"{cell.preprocessor} declares to break C1: {judged} runs it on all {n}, other encoders on {others}"
            return Sample(rows, n, because)
    return None


def _slower(subjects: Subjects, key: EncoderKey) -> float | None:
    """How many times as long as the reference a very slow encoder takes; None for another one."""
    if whole_s(subjects, key) < LONG_S or reference_key(key) == key:
        return None
    times = subjects.once(("times the reference", str(key)), lambda: times_the_reference(subjects, key))
    return times if times >= SLOW else None


def torch_eager_beside(items: Sequence[pytest.Item], key: EncoderKey) -> EncoderKey | None:
    """Torch eager at the precision of `key`, if it is another encoder, is selected and can run."""
    eager = replace(reference_key(key), precision=key.base)
    selected = (isinstance(about := subject(item), Cell) and about.encoder == eager for item in items)
    return eager if not key.policy and eager != key and any(selected) and _runs(eager) else None


def known_bad(subjects: Subjects, preprocessor: str) -> bool:
    """True if the preprocessor declares to break C1, whatever the encoder."""
    return "C1" in preprocessors()[preprocessor].failures(subjects.model.geometry.squash)


def _judge_of(items: Sequence[pytest.Item], cell: Cell) -> EncoderKey:
    """The encoder that runs a known-bad preprocessor on all images: the first selected one that can run, in every process."""
    abouts = (subject(item) for item in items)
    keys = [about.encoder for about in abouts if isinstance(about, Cell) and about.preprocessor == cell.preprocessor]
    return next((key for key in dict.fromkeys(keys) if _runs(key)), cell.encoder)


def _runs(key: EncoderKey) -> bool:
    try:
        require_usable(backends()[key.backend], key.base, key.device)
    except Unavailable:
        return False
    return True


def spread(dataset: Dataset) -> list[int]:
    """Rows of SIZE images: all odd ones, the rest evenly spaced scenes, but no fewer than FEWEST_SCENES."""
    scenes = len(dataset.scenes)
    wanted = max(SIZE - len(dataset.odd), FEWEST_SCENES)
    return [*spaced(scenes, wanted, last=False), *range(scenes, len(dataset.images))]


def whole_s(subjects: Subjects, key: EncoderKey) -> float:
    """Seconds that all images take one by one."""
    return subjects.encoder(key).warm_up["image"].steady_ms / 1e3 * len(subjects.dataset.images)


def first_of(items: Sequence[pytest.Item], key: EncoderKey) -> str:
    """The selected preprocessor that runs on all images: the reference, or else the first that can run here."""
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
    """This encoder's time for an image, divided by torch eager fp32's; 1 if that cannot be measured.

    Both are timed here in alternation, because their warm-ups ran at different times under different loads.
    """
    loaded = subjects.encoder(key)
    batches = subjects.rotating_inputs("image")
    try:
        _, reference = subjects.reference(key)
    except CannotRun:
        return 1.0
    times = ratio(*(calls_of(encoder, in_turn(batches), "image") for encoder in (loaded.encoder, reference)))
    loaded.encoder.restore_settings()
    return times


def ratio(ours: Block, other: Block) -> float:
    """The ratio of the fastest calls in PAIRS pairs of blocks."""
    rng = np.random.default_rng()
    mine, others = np.min([pair(ours, other, rng, calls=1) for _ in range(PAIRS)], axis=0)
    return float(mine / others)
