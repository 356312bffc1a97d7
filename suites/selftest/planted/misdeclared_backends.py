"""A plug-in for inner runs: adds a backend or preprocessor that misstates itself for each name in $PLANT (comma-separated)."""

import os
from dataclasses import replace
from typing import cast

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Backend, Geometry
from fixtures.preprocessors._shared import SQUASHES
from fixtures.preprocessors.original_clip import OriginalClip
from fixtures.registry import backends, preprocessors
from suites.studies.faults import outputs
from suites.studies.faults.plants import Altered, output

LIES = {"says-fp16": "fp16", "says-fp16-afar": "fp16", "tf32-on": "fp32", "bf16-as-fp16": "fp16"}


TURNED = {"clean": 1, "rotated": -1}  # the order of the embedding's values, in both towers


def _liar(lie: str) -> TorchEager:
    """A backend that runs in another precision than the one it names; afar, nothing can be inspected."""

    class Liar(TorchEager):
        name = lie
        precisions = (LIES[lie],)

        def load(self, model, precision, device):  # type: ignore[no-untyped-def]
            really = {"tf32-on": "tf32", "bf16-as-fp16": "bf16"}.get(lie, "fp32")
            encoder = super().load(model, really, device)
            return Altered(encoder, looks=False) if lie.endswith("-afar") else encoder

    return Liar()


def pytest_configure() -> None:
    """Register what $PLANT names."""
    for name in filter(None, os.environ.get("PLANT", "").split(",")):
        if name in LIES:
            backends()[name] = _liar(name)
        elif name in TURNED:
            turned = TURNED[name]
            backends()[name] = output(lambda x, tower, s: x[:, ::s].copy())(name, turned)
        elif name == "noisy":
            noise = next(fault for fault in outputs.FAULTS if fault.name == "not-deterministic")
            backends()[name] = cast(Backend, noise.plant(name, 1e-4))
        elif name in ("absent", "crashing"):
            backends()[name] = _unusable(name)
        else:
            preprocessors()[name] = _preprocessor(name)


def _unusable(how: str) -> TorchEager:
    class Unusable(TorchEager):
        name = how
        precisions = ("fp32",)
        packages = {"no_such_package": "pip install no-such-package"} if how == "absent" else {}

        def load(self, model, precision, device):  # type: ignore[no-untyped-def]
            raise RuntimeError("no engine for this device")

    return Unusable()


def _preprocessor(how: str) -> OriginalClip:
    class Misstated(OriginalClip):
        name = how
        known_failures = {"pessimist": {"P2": SQUASHES}, "cautious": {"C1": replace(SQUASHES, strict=False)}}.get(how, {})

        def transform(self, decoded, geometry):  # type: ignore[no-untyped-def]
            return super().transform(decoded, Geometry(geometry.size) if how == "cropping" else geometry)

    return Misstated()
