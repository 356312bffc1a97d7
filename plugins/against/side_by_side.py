"""Runs one encoder in two workers, each with its own code and interpreter, on the same inputs."""

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
from fixtures.worker.client import WorkerEncoder
from plugins.against.sides import Choice, Code, Side
from plugins.cells.new_inputs import NewInputs, new_inputs
from plugins.golden.verified import Golden, names_of
from plugins.latency import fresh as timing
from plugins.latency.limits import limits_in
from plugins.measures.latency.decision import Limit
from plugins.measures.latency.starts import Block, DecisionByStarts, decide_by_starts, slow_calls
from plugins.measures.latency.tail import Tail, beside
from plugins.measures.vectors.drift import Drift
from plugins.subjects import Subjects

IMPORTED = ("torch", "open_clip", "onnxruntime", "onnx")  # before a worker forks, so that a start need not
METRICS = ("cosine_distance", "max_abs")
ANSWER_S = 300.0  # the longest wait for one answer once an encoder is open


class Two:
    """One encoder in two workers, ours first, each of which forks for every start."""

    def __init__(self, key: EncoderKey, sides: tuple[Side, Side], model: tuple[str, str], limit_s: float) -> None:
        code = Code.of(key.backend)
        self.what = f"{sides[0].what} against {sides[1].what}"
        self.sides: list[timing.Side] = []
        self.code: list[dict[str, Any]] = []  # Server.code's answer, of each side
        try:
            for side in reversed(sides):  # the other side first: it may lack the backend
                worker = side.start(str(key), code)
                self.sides.insert(0, timing.Side(worker, (code.spec, model, key.precision, key.device)))
                worker.ask("prepare", *IMPORTED)
                self.sides[0].begin()
                self.sides[0].built()
                self.code.insert(0, found := self.sides[0].started.ask("code", code.spec, model))
                if not Path(found["file"]).resolve().is_relative_to(side.root):
                    raise RuntimeError(f"it imported the backend from {found['file']}, expected from {side.root}")
                self.sides[0].answers_within(limit_s)
        except BaseException:
            self.end()
            raise

    def encode(self, batch: Array | Tokens, tower: Tower) -> tuple[Array, Array]:
        """Return both sides' embeddings of the same inputs."""
        parts = [batch[i : i + BATCH] for i in range(0, len(batch), BATCH)]
        found = []
        for side in self.sides:
            if not side.process:
                side.begin()
                side.built()
            encoder = WorkerEncoder(side.started, side.opened[-1]["max_batch"])
            found.append(np.concatenate([encoder.encode(part, tower) for part in parts]))
        return found[0], found[1]

    @contextmanager
    def begin(self, inputs: NewInputs, tower: Tower) -> Iterator[tuple[Block, Block]]:
        """Return both sides' timed calls in new processes, each on a new input; each uses its own clock."""
        for side in self.sides:
            side.leave()
        with timing.begun((self.sides[0], self.sides[1]), inputs, tower) as blocks:
            yield blocks

    def differences(self) -> dict[str, str]:
        """Packages whose versions differ: "1.30.0 -> 1.31.1", the other side's first."""
        ours, other = (found["versions"] for found in self.code)
        names = sorted(name for name in {*ours, *other} if ours.get(name) != other.get(name))
        return {name: f"{other.get(name, 'absent')} -> {ours.get(name, 'absent')}" for name in names}

    def end(self) -> None:
        """End both workers."""
        for side in self.sides:
            side.leave()
            side.worker.end()


@dataclass(frozen=True)
class Latencies:
    """What both sides' calls show: the middle, and slow calls of ours beside the other's."""

    middle: DecisionByStarts
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
                self._alive = Two(key, sides, self.subjects.choice, limit_s)
        if self._trouble is not None:
            raise self._trouble
        assert self._alive is not None, "an encoder without trouble is alive"
        return self._alive

    def what(self, key: EncoderKey) -> dict[str, Any]:
        """What is compared, and the packages whose versions differ, in the report's form."""
        with self.two(key) as two:
            packages = two.differences()
            return {"what": two.what, **({"packages": packages} if packages else {})}

    def weights(self, key: EncoderKey) -> tuple[str, str]:
        """The sha256 of each side's weights."""
        with self.two(key) as two:
            ours, other = (str(found["weights"]) for found in two.code)
            return ours, other

    def drift(self, key: EncoderKey, tower: Tower) -> Drift:
        """Compare both sides' embeddings of the golden inputs, with the precision's tolerance."""
        image = tower == "image"
        inputs, names = (
            (self.golden.pixels, list(self.golden.pixel_names))
            if image
            else (self.subjects.tokens, names_of(self.subjects, "text"))
        )
        limits = {metric: self.golden.on(key.device).limits(key.tolerance, tower, metric, names) for metric in METRICS}
        with self.two(key) as two:
            return Drift(inputs, *two.encode(inputs, tower), names, limits)

    def latencies(self, key: EncoderKey, tower: Tower) -> Latencies:
        """Measure batch-1 latency of both sides in alternation."""
        inputs = new_inputs(self.subjects, key, tower, self.config.getoption("--seed"))
        budget = self.config.getoption("--latency-budget")
        limit = Limit(self.limits.of(str(key)), self.limits.false_alarms, self.comparisons)
        with self.two(key) as two:
            begin = partial(two.begin, inputs, tower)
            middle = decide_by_starts(begin, limit, self.limits.between_starts, budget)
            return Latencies(middle, beside(*slow_calls(middle.starts), limit.false_alarms / limit.cells))

    def close(self) -> None:
        """End all workers."""
        if self._alive:
            self._alive.end()
        self._alive, self._key, self._trouble = None, None, None
