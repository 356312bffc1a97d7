"""A plug-in for inner runs: adds one faulty backend or preprocessor for each name in $PLANT (comma-separated)."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Array, Encoder, Geometry, Tokens, Tower
from fixtures.preprocessors._shared import SQUASHES
from fixtures.preprocessors.original_clip import OriginalClip
from fixtures.registry import backends, preprocessors


class Altered(Encoder):
    """A good encoder whose results go through `alter(image or text embeddings, tower)`."""

    def __init__(self, good: Encoder, alter: Callable[[Array, str], Array]) -> None:
        self.good, self.alter = good, alter

    def upload(self, batch: Array | Tokens, tower: Tower) -> object:
        """As the good one."""
        return self.good.upload(batch, tower)

    def forward(self, batch: object, tower: Tower) -> object:
        """As the good one, with the tower beside the result."""
        return tower, self.good.forward(batch, tower)

    def download(self, embedding: Any) -> Array:
        """The altered result."""
        tower, output = embedding
        return self.alter(self.good.download(output), tower)


_buffers: dict[tuple[int, ...], Array] = {}


def _reused(x: Array, tower: str) -> Array:
    buffer = _buffers.setdefault(x.shape, np.empty_like(x))
    np.copyto(buffer, x)
    return buffer


OUTPUTS: dict[str, Callable[[Array, str], Array]] = {
    "clean": lambda x, tower: x,
    "constant": lambda x, tower: np.ones_like(x),
    "nan": lambda x, tower: np.where(np.arange(len(x))[:, None] == len(x) - 1, np.float32(np.nan), x),
    "scaled": lambda x, tower: x * np.float32(1.001),
    "normalised": lambda x, tower: x / np.linalg.norm(x, axis=1, keepdims=True),
    "float64": lambda x, tower: x.astype(np.float64),
    "squeezed": lambda x, tower: x[0] if len(x) == 1 else x,
    "fortran": lambda x, tower: np.asfortranarray(x),
    "neighbours": lambda x, tower: x + np.float32(1e-3) * (x.mean(axis=0) - x),
    "noisy": lambda x, tower: (x + np.random.default_rng().normal(0, 1e-6, x.shape)).astype(np.float32),
    "buffer": _reused,
    "text-only": lambda x, tower: x[:, ::-1].copy() if tower == "text" else x,
    "rotated": lambda x, tower: x[:, ::-1].copy(),
}


LIES = {"says-fp16": "fp16", "says-fp16-afar": "fp16", "tf32-on": "fp32", "bf16-as-fp16": "fp16"}


def _liar(lie: str) -> TorchEager:
    """A backend that runs in another precision than the one it names; afar, nothing can be looked into."""

    class Faulty(TorchEager):
        name = lie
        precisions = (LIES[lie],)

        def load(self, model, precision, device):  # type: ignore[no-untyped-def]
            really = {"tf32-on": "tf32", "bf16-as-fp16": "bf16"}.get(lie, "fp32")
            encoder = super().load(model, really, device)
            return Altered(encoder, OUTPUTS["clean"]) if lie.endswith("-afar") else encoder

    return Faulty()


def pytest_configure() -> None:
    """Register what $PLANT names."""
    for name in filter(None, os.environ.get("PLANT", "").split(",")):
        if name in OUTPUTS:
            backends()[name] = _backend(name, OUTPUTS[name])
        elif name in LIES:
            backends()[name] = _liar(name)
        elif name in ("absent", "crashing"):
            backends()[name] = _unusable(name)
        else:
            preprocessors()[name] = _preprocessor(name)


def _backend(fault: str, alter: Callable[[Array, str], Array]) -> TorchEager:
    class Faulty(TorchEager):
        name = fault
        precisions: tuple[str, ...] = ("fp32",)

        def load(self, model, precision, device):  # type: ignore[no-untyped-def]
            return Altered(super().load(model, precision, device), alter)

    return Faulty()


def _unusable(fault: str) -> TorchEager:
    class Faulty(TorchEager):
        name = fault
        precisions = ("fp32",)
        packages = {"no_such_package": "pip install no-such-package"} if fault == "absent" else {}

        def load(self, model, precision, device):  # type: ignore[no-untyped-def]
            raise RuntimeError("no engine for this device")

    return Faulty()


def _preprocessor(fault: str) -> OriginalClip:
    class Faulty(OriginalClip):
        name = fault
        known_failures = {"pessimist": {"P2": SQUASHES}, "cautious": {"C1": replace(SQUASHES, strict=False)}}.get(fault, {})

        def transform(self, decoded, geometry):  # type: ignore[no-untyped-def]
            pixels = super().transform(decoded, Geometry(geometry.size) if fault == "cropping" else geometry)
            if fault == "bgr":
                return np.ascontiguousarray(pixels[::-1])
            if fault == "shifted":
                return np.ascontiguousarray(np.roll(pixels, 1, axis=2))
            if fault == "rescaled-twice":
                return np.ascontiguousarray(pixels / np.float32(255))
            return pixels

    return Faulty()
