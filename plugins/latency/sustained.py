"""Promises of sustained load: collected only in runs that compare or store latency, because they take seconds a tower."""

import numpy as np
import pytest

from fixtures.capability import Tower
from fixtures.cells import EncoderKey
from plugins.cells.new_inputs import new_inputs
from plugins.cells.on_request import on_request
from plugins.cells.promises import promise
from plugins.latency.fresh import Side
from plugins.latency.gate import GATE
from plugins.measures.latency.shapes import LATER, FirstCall
from plugins.subjects import Subjects

SUITE = "suites/latency/test_sustained.py"
BY_CHANCE = ("L6", "L7")  # which divide the run's false-alarm rate among them
CALLS = 1 + LATER  # of a shape
ROWS = (2, 3, 5)  # of new batches
LONG = 40  # texts in one, which is cut at the end of the model's context
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def pytest_configure(config: pytest.Config) -> None:
    """Collected if latency is compared or stored, and not disabled."""
    missing = "belongs to runs that compare or store latency: add --benchmark-compare or --benchmark-autosave"
    on_request(config, SUITE, _asked, missing)


def _asked(config: pytest.Config) -> bool:
    return config.stash[GATE].stores and not config.getoption("benchmark_disable")


@pytest.fixture(scope="session")
def chance(request: pytest.FixtureRequest) -> float:
    """The probability of a false alarm in one of the run's judgements about chance, of one tower."""
    judgements = sum(promise(item)[0] in BY_CHANCE for item in request.session.items)
    return request.config.stash[GATE].limits.false_alarms / max(1, judgements)


class Shapes:
    """Batches of shapes that the encoder has not had, a first call of each and LATER more."""

    def __init__(self, subjects: Subjects, key: EncoderKey, tower: Tower, seed: int) -> None:
        self.tower, inputs = tower, new_inputs(subjects, key, tower, seed)
        self.batches = {f"{rows} rows": (rows, np.concatenate(inputs.take(CALLS * rows))) for rows in ROWS}
        if tower == "text":
            rng, known = np.random.default_rng(seed), [text for text in subjects.dataset.texts if text.strip()]
            long = [" ".join(rng.choice(known, LONG)) for _ in range(CALLS)]
            for name, texts in (("a long text", long), ("a short text", [*rng.choice([*LETTERS], CALLS, replace=False)])):
                self.batches[name] = 1, subjects.model.tokenize(texts)

    def first_calls(self, sides: tuple[Side, ...]) -> dict[str, tuple[FirstCall, FirstCall]]:
        """Both sides' first call of each shape within `max_batch`; the sides have begun."""
        most, found = sides[0].opened[-1]["max_batch"], {}
        for name, (rows, batch) in self.batches.items():
            if most is None or rows <= most:
                ours, other = (FirstCall.of(*side.timed(batch, self.tower, rows)) for side in sides)
                found[name] = ours, other
        return found


@pytest.fixture
def shapes(subjects: Subjects, encoder_key: EncoderKey, tower: Tower, pytestconfig: pytest.Config) -> Shapes:
    """New shapes for this encoder's tower."""
    return Shapes(subjects, encoder_key, tower, pytestconfig.getoption("--seed"))
