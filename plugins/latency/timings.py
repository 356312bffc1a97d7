"""How this run times encoders beside their references: in fresh processes if figures are stored, else in this one."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fixtures.capability import Tower
from fixtures.cells import EncoderKey
from fixtures.errors import Unavailable
from fixtures.machine.versions import require_usable
from fixtures.progress import ticking
from fixtures.registry import backends
from fixtures.worker.fork import Forked
from plugins.cells.given_back import BuildFailed, CannotRun
from plugins.cells.new_inputs import NewInputs, new_inputs
from plugins.latency.fresh import Side, Timing, begun, here
from plugins.measures.latency.reference import PRECISION, AnchorBackend, anchor_name, reference_key
from plugins.measures.latency.starts import Block
from plugins.process.left_behind import watch
from plugins.subjects import Subjects

ANCHOR = f"{AnchorBackend.__module__}:{AnchorBackend.__qualname__}"


class Timings:
    """Two forks of this process, made before a library has started threads here, which fork again for every start."""

    def __init__(self, config: pytest.Config, fresh: bool) -> None:
        self.seed, self.workers = config.getoption("--seed"), None
        if fresh:
            import open_clip  # noqa: F401 - what takes longest to import, once for all forks

            self.workers = Forked("a comparison"), Forked("its reference")
            for worker in self.workers:
                worker.limit_s = config.getoption("--test-limit")

    def of(self, subjects: Subjects, key: EncoderKey, tower: Tower) -> Timing:
        """How this encoder's tower is timed."""
        inputs = new_inputs(subjects, key, tower, self.seed)
        if self.workers is None:
            return _here(subjects, key, tower, inputs)
        try:
            require_usable(backends()[key.backend], key.base, key.device)
        except Unavailable as reason:
            raise CannotRun(f"{key}: {reason}") from None
        # A package for another device may open it when it is imported.
        early = list(backends()[key.backend].needs("cpu")) if key.device == "cpu" else []
        other = reference_key(key)
        opponent = anchor_name(key.device) if other == key else str(other)
        anchor = (ANCHOR, subjects.choice, PRECISION, key.device)
        sides = (
            Side(self.workers[0], (key.backend, subjects.choice, key.precision, key.device, key.policy)),
            Side(self.workers[1], anchor if other == key else (other.backend, subjects.choice, other.precision, other.device)),
        )

        @contextmanager
        def begin(rests: bool) -> Iterator[tuple[Block, Block]]:
            told = ticking(f"timing {key} in fresh processes")
            with watch().kept(), _built(key), told:
                sides[0].worker.ask("prepare", *early)
                sides[1].worker.ask("prepare")
                with begun(sides, inputs, tower, rests) as blocks:
                    yield blocks

        return Timing(opponent, begin, sides=sides)

    def close(self) -> None:
        """End the forks."""
        for worker in self.workers or ():
            worker.end()


@contextmanager
def _built(key: EncoderKey) -> Iterator[None]:
    try:
        yield
    except Unavailable as reason:
        raise CannotRun(f"{key}: {reason}") from None
    except RuntimeError as error:
        raise BuildFailed(f"{key} in a process of its own: {error}") from None


def _here(subjects: Subjects, key: EncoderKey, tower: Tower, inputs: NewInputs) -> Timing:
    loaded = subjects.encoder(key)
    opponent, reference = subjects.reference(key)

    @contextmanager
    def begin(rests: bool) -> Iterator[tuple[Block, Block]]:
        yield here(loaded.encoder, inputs, tower), here(reference, inputs.beside(), tower)

    return Timing(opponent, begin, starts=1)
