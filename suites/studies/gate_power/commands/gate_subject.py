"""Backends that a user could have: the suite's own in fp32 on the CPU, with a planted slowdown. It is run as a copy.

What is planted comes from $GATE_PLANTED, or from PLANTED in a working tree that is compared with a revision.
"""

import hashlib
import json
import os
import random
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from fixtures.backends.onnxruntime import OnnxRuntime
from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Array, Encoder, Evidence, Tokens, Tower
from fixtures.models import load_model

if TYPE_CHECKING:
    import torch

    from fixtures.models import Model

PLANTED = "{}"


class Slowdown:
    """More work in some calls of a tower: `units` times SHA-256 of `unit_bytes`. What slows the call slows it too."""

    def __init__(self, kind: str, value: float, units: int, unit_bytes: int) -> None:
        """`value` is N of a tail (one call in N), the number of quick calls before a throttle, milliseconds of a pause."""
        self.kind, self.value, self.units, self.data = kind, value, units, bytes(unit_bytes)
        self.calls, self.slow, self.random = 0, -1, random.Random(0)

    def due(self, idle_ms: float) -> bool:
        """Whether this call is slow; `idle_ms` have gone by since the last one."""
        number, self.calls = self.calls, self.calls + 1
        if self.kind == "tail":
            if number % int(self.value) == 0:
                self.slow = number + self.random.randrange(int(self.value))
            return number == self.slow
        return {"middle": True, "throttle": number >= self.value, "pause": idle_ms >= self.value}[self.kind]

    def work(self) -> None:
        """What is planted."""
        sha256, data = hashlib.sha256, self.data
        for _ in range(self.units):
            sha256(data)


class Planted(Encoder):
    """A good encoder with a slowdown in each tower that `planted` names."""

    def __init__(self, good: Encoder, planted: dict[Tower, dict[str, Any]]) -> None:
        self.good, self.slowdowns = good, {tower: Slowdown(**what) for tower, what in planted.items()}
        self.ended = time.perf_counter()

    def upload(self, batch: Array | Tokens, tower: Tower) -> object:
        """The good one's."""
        return self.good.upload(batch, tower)

    def forward(self, batch: object, tower: Tower) -> object:
        """The good one's, and then what is planted."""
        slowdown, idle_ms = self.slowdowns.get(tower), 1e3 * (time.perf_counter() - self.ended)
        found = self.good.forward(batch, tower)
        if slowdown and slowdown.due(idle_ms):
            slowdown.work()
        self.ended = time.perf_counter()
        return found

    def download(self, embedding: object) -> Array:
        """The good one's."""
        return self.good.download(embedding)

    def restore_settings(self) -> None:
        """The good one's."""
        self.good.restore_settings()

    def evidence(self, batch: Array | Tokens, tower: Tower) -> Evidence | None:
        """The good one's."""
        return self.good.evidence(batch, tower)

    def weights(self) -> Iterable[tuple[str, "torch.Tensor"]]:
        """The good one's."""
        return self.good.weights()


def planted() -> dict[Tower, dict[str, Any]]:
    """By tower: the arguments of its Slowdown."""
    found: dict[Tower, dict[str, Any]] = json.loads(os.environ.get("GATE_PLANTED", PLANTED))
    return found


class TorchSubject(TorchEager):
    """torch eager."""

    name = "subject-torch"
    precisions = ("fp32",)
    only = {"fp32": ("cpu",)}
    policies = ()

    def load(self, model: "Model", precision: str, device: str) -> Encoder:
        """With what is planted."""
        return Planted(super().load(model, precision, device), planted())


class OnnxSubject(OnnxRuntime):
    """onnxruntime."""

    name = "subject-onnxruntime"
    precisions = ("fp32",)
    only = {"fp32": ("cpu",)}
    policies = ()
    known_failures = {}

    def load(self, model: "Model", precision: str, device: str) -> Encoder:
        """With what is planted."""
        return Planted(super().load(model, precision, device), planted())


def loaded(subject: str, model: str, pretrained: str = "") -> tuple[Encoder, dict[Tower, Any]]:
    """An encoder, and pixels and tokens of one row, for programs without the suite's pytest plug-ins."""
    clip = load_model(model, pretrained)
    kind = {"TorchSubject": TorchSubject, "OnnxSubject": OnnxSubject}[subject]
    pixels = np.random.default_rng(0).standard_normal((1, 3, clip.resolution, clip.resolution), np.float32)
    return kind().load(clip, "fp32", "cpu"), {"image": pixels, "text": clip.tokenize(["a red cube on a table"])}
