"""Runs one encoder in two workers, each with its own code and interpreter, on the same inputs."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.capability import Array, Tokens, Tower
from fixtures.cells import EncoderKey
from fixtures.errors import Unavailable
from fixtures.machine.versions import require_usable
from fixtures.progress import ticking
from fixtures.registry import backends
from fixtures.truth import BATCH
from fixtures.worker.client import Handle, Worker, WorkerEncoder
from plugins.against.sides import Choice, Code, Side
from plugins.cells.new_inputs import Batch, NewInputs, new_inputs
from plugins.golden.verified import Golden, names_of
from plugins.latency.limits import limits_in
from plugins.measures.latency.decision import Decision, Limit, decide
from plugins.measures.latency.reference import Calls
from plugins.measures.latency.steady import warm_up
from plugins.measures.latency.tail import Slow, Tail, beside
from plugins.measures.vectors.drift import Drift
from plugins.subjects import Subjects

METRICS = ("cosine_distance", "max_abs")
ANSWER_S = 300.0  # the longest wait for one answer once an encoder is open


class Two:
    """One encoder in two workers, ours first."""

    def __init__(self, key: EncoderKey, sides: tuple[Side, Side], model: tuple[str, str], limit_s: float) -> None:
        code = Code.of(key.backend)
        self.what = f"{sides[0].what} against {sides[1].what}"
        self.workers: list[Worker] = []
        self.encoders: list[WorkerEncoder] = []
        self.opened: list[dict[str, Any]] = []
        try:
            for side in reversed(sides):  # the other side first: it may lack the backend
                self.workers.append(side.start(str(key), code))
                opened = self.workers[-1].ask("open_cell", code.spec, model, key.precision, key.device)
                if not Path(opened["file"]).resolve().is_relative_to(side.root):
                    raise RuntimeError(f"it imported the backend from {opened['file']}, expected from {side.root}")
                self.workers[-1].limit_s = limit_s
                self.encoders.insert(0, WorkerEncoder(self.workers[-1], opened["max_batch"]))
                self.opened.insert(0, opened)
        except BaseException:
            self.end()
            raise

    def encode(self, batch: Array | Tokens, tower: Tower) -> tuple[Array, Array]:
        """Return both sides' embeddings of the same inputs."""
        parts = [batch[i : i + BATCH] for i in range(0, len(batch), BATCH)]
        ours, other = (np.concatenate([encoder.encode(part, tower) for part in parts]) for encoder in self.encoders)
        return ours, other

    def blocks(self, inputs: NewInputs, tower: Tower) -> tuple[Calls, Calls]:
        """Return both sides' timed blocks of calls, each on a new input; each worker warms up and uses its own clock."""
        for encoder in self.encoders:
            warm_up(partial(_block(encoder.worker, inputs, tower), 1))
        ours, other = self.encoders
        return _block(ours.worker, inputs, tower), _block(other.worker, inputs.beside(), tower)

    def differences(self) -> dict[str, str]:
        """Packages whose versions differ: "1.30.0 -> 1.31.1", the other side's first."""
        ours, other = (opened["versions"] for opened in self.opened)
        names = sorted(name for name in {*ours, *other} if ours.get(name) != other.get(name))
        return {name: f"{other.get(name, 'absent')} -> {ours.get(name, 'absent')}" for name in names}

    def end(self) -> None:
        """End both workers."""
        for worker in self.workers:
            worker.end()


def _block(worker: Worker, inputs: NewInputs, tower: Tower) -> Calls:
    waiting: deque[Batch] = deque()

    def timed() -> float:
        kept = Handle(worker.ask("keep", batch=waiting.popleft()), worker.released)
        return float(worker.ask("block", kept.number, tower, 1))

    return Calls(timed, lambda calls: waiting.extend(inputs.take(calls)), longer=1)


@dataclass(frozen=True)
class Latencies:
    """What both sides' calls show: the middle, and slow calls of ours beside the other's."""

    middle: Decision
    tails: list[Tail]

    @property
    def verdict(self) -> str:
        """pass, fail or inconclusive."""
        return "fail" if any(tail.fails for tail in self.tails) else self.middle.verdict

    def __str__(self) -> str:
        slow = [f"more slow calls: {tail}" for tail in self.tails if tail.fails]
        return "; ".join([*slow, str(self.middle)])


class SideBySide:
    """The comparisons of this run; the workers of only one encoder are alive at a time."""

    def __init__(self, config: pytest.Config, subjects: Subjects, golden: Golden, choice: Choice, comparisons: int) -> None:
        self.config, self.subjects, self.golden, self.choice = config, subjects, golden, choice
        self.limits, self.comparisons = limits_in(subjects.golden), max(1, comparisons)
        self._alive: Two | None = None
        self._key: EncoderKey | None = None
        self._trouble: Exception | None = None

    @contextmanager
    def two(self, key: EncoderKey) -> Iterator[Two]:
        """Return an encoder's two workers; if they fail, this and the encoder's other tests fail or skip in one sentence."""
        try:
            yield self._two(key)
        except (Unavailable, RuntimeError) as trouble:
            self.close()
            self._key, self._trouble = key, trouble.with_traceback(None)
            if isinstance(trouble, Unavailable):
                raise pytest.skip.Exception(str(trouble)) from None
            raise pytest.fail.Exception(str(trouble), pytrace=False) from None  # one sentence, no chain of exceptions

    def _two(self, key: EncoderKey) -> Two:
        if self._key != key:
            self.close()
            self._key = key
            if key.policy:
                raise Unavailable(f"{key} is not compared: the other side may lack policies; select {key.base}")
            require_usable(backends()[key.backend], key.precision, key.device)
            sides, limit_s = self.choice.sides(Code.of(key.backend)), self.config.getoption("--against-limit")
            with ticking(f"building {key} on both sides"):
                self._alive = Two(key, sides, self._model(), limit_s)
        if self._trouble is not None:
            raise self._trouble
        assert self._alive is not None, "an encoder without trouble is alive"
        return self._alive

    def _model(self) -> tuple[str, str]:
        """Model name and tag; the path of a file becomes absolute, because workers run in another folder."""
        name, tag = self.subjects.name, self.subjects.pretrained
        return name, str(Path(tag).absolute()) if tag and Path(tag).exists() else tag

    def what(self, key: EncoderKey) -> dict[str, Any]:
        """What is compared, and the packages whose versions differ, in the report's form."""
        with self.two(key) as two:
            packages = two.differences()
            return {"what": two.what, **({"packages": packages} if packages else {})}

    def weights(self, key: EncoderKey) -> tuple[str, str]:
        """The sha256 of each side's weights."""
        with self.two(key) as two:
            ours, other = (str(opened["weights"]) for opened in two.opened)
            return ours, other

    def drift(self, key: EncoderKey, tower: Tower) -> Drift:
        """Compare both sides' embeddings of the golden inputs, with the precision's tolerance."""
        image = tower == "image"
        inputs, names = (
            (self.golden.pixels, list(self.golden.pixel_names))
            if image
            else (self.subjects.tokens, names_of(self.subjects, "text"))
        )
        limits = {metric: self.golden.limits(key.precision, tower, metric, names) for metric in METRICS}
        with self.two(key) as two:
            return Drift(inputs, *two.encode(inputs, tower), names, limits)

    def latencies(self, key: EncoderKey, tower: Tower) -> Latencies:
        """Measure batch-1 latency of both sides in alternation."""
        inputs = new_inputs(self.subjects, key, tower, self.config.getoption("--seed"))
        budget = self.config.getoption("--latency-budget")
        limit = Limit(self.limits.of(str(key)), self.limits.false_alarms, self.comparisons)
        with self.two(key) as two:
            blocks = two.blocks(inputs, tower)
            middle = decide(*blocks, limit, budget, np.random.default_rng(0))
            ours, other = (Slow.of(block.blocks[-len(middle.pairs) :]) for block in blocks)
            return Latencies(middle, beside(ours, other, limit.false_alarms / limit.cells))

    def close(self) -> None:
        """End all workers."""
        if self._alive:
            self._alive.end()
        self._alive, self._key, self._trouble = None, None, None
