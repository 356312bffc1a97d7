"""A plug-in for inner runs: fp32 encoders that drift by some 1e-6, always or only while they are timed, and a preprocessor."""

import inspect
from typing import Any

import numpy as np

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Array, Geometry, KnownFailure
from fixtures.preprocessors.original_clip import OriginalClip
from fixtures.registry import backends, preprocessors
from suites.studies.faults.plants import Altered

DRIFTS = KnownFailure("never", "planted to drift", at_most=1e-5, strict=False)


def _timed() -> bool:
    return any(frame.function == "pedantic" for frame in inspect.stack(0))


def _drifting(called: str, declared: bool, only_timed: bool) -> TorchEager:
    class Drifting(TorchEager):
        name = called
        precisions = ("fp32",)
        known_failures = {"E2": DRIFTS} if declared else {}

        def load(self, model, precision, device):  # type: ignore[no-untyped-def]
            def found(vectors, tower):  # type: ignore[no-untyped-def]
                return vectors + vectors[:, ::-1] / 1000 if _timed() or not only_timed else vectors

            return Altered(super().load(model, precision, device), found=found)

    return Drifting()


class OtherStages(OriginalClip):
    """Gives the right pixels in one call, and in two stages those of a mirrored picture."""

    name = "other-stages"

    def __call__(self, path: str, geometry: Geometry) -> Array:
        """File to pixels."""
        return super().transform(self.decode(path), geometry)

    def transform(self, decoded: Any, geometry: Geometry) -> Array:
        """Decoded picture to pixels."""
        return np.ascontiguousarray(super().transform(decoded, geometry)[..., ::-1])


def pytest_configure() -> None:
    """All of them."""
    preprocessors()["other-stages"] = OtherStages()
    backends()["drifts"] = _drifting("drifts", declared=False, only_timed=False)
    backends()["drifts-as-declared"] = _drifting("drifts-as-declared", declared=True, only_timed=False)
    backends()["drifts-when-timed"] = _drifting("drifts-when-timed", declared=True, only_timed=True)
