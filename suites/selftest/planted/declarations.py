"""A plug-in for inner runs: backends that drift, vary or lose their form, and what they declare of it; $PLANT names them."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Array, KnownFailure, Tower
from fixtures.registry import backends
from suites.studies.faults.plants import Altered

Found = Callable[[Any, Tower], Any]


def known(at_most: Any = None, strict: bool = True) -> KnownFailure:
    """A declaration with this bound."""
    return KnownFailure("ours", "planted", at_most, strict)


def turned(*towers: Tower) -> Found:
    """A cosine distance of about 5e-5 to the good vectors, in these towers."""
    return lambda x, tower: np.asarray(x + 0.01 * np.roll(x, 1, axis=1), np.float32) if tower in towers else x


def varying(x: Array, tower: Tower) -> Array:
    """Differences of some 1e-6 between calls."""
    return (x + np.random.default_rng().normal(0, 1e-7, x.shape)).astype(np.float32)


def crashing(x: Array, tower: Tower) -> Array:
    """Nothing but an exception."""
    raise RuntimeError("no answer")


FAR = {"cosine_distance": 1e-3, "mean_abs": 1.0, "max_abs": 10.0, "norm_ratio": 0.1}
NEAR = {**FAR, "cosine_distance": 1e-6, "mean_abs": 1e-3}
IN_TEXT = KnownFailure("ours", "in one tower", FAR)
BOTH, TEXT = turned("image", "text"), turned("text")
DRIFTS: Mapping[str, tuple[Found, Mapping[str, KnownFailure]]] = {
    "within": (BOTH, dict.fromkeys(("E2", "E3", "E5"), known(FAR))),
    "beyond": (BOTH, dict.fromkeys(("E2", "E3", "E5"), known(NEAR))),
    "second": (BOTH, {"E2": known(FAR), "E3": known({"mean_abs": 1.0}), "E5": known(FAR)}),  # max_abs is to hold
    "text-alone": (TEXT, {f"{promise}:cpu:text:fp32": IN_TEXT for promise in ("E2", "E3", "E5")}),
    "varying": (varying, {"E6": known(1e-4)}),
    "varying-more": (varying, {"E6": known(1e-9)}),
    "crashing": (crashing, dict.fromkeys(("E2", "E3"), known(FAR))),
    "quiet": (lambda x, tower: x, {"E6": known(1e-4, strict=False)}),
}
FORMS: Mapping[str, Found] = {
    "squeezed": lambda x, tower: x[0] if len(x) == 1 else x,
    "narrow": lambda x, tower: np.ascontiguousarray(x[:, :-1]),
    "none": lambda x, tower: None,
    "text-object": lambda x, tower: x.astype(object) if tower == "text" else x,
    "four": lambda x, tower: x[0] if len(x) == 4 else x,  # a size that only E6 asks for
}
WRONG: Mapping[str, tuple[str, str]] = {  # a key that names nothing, and what is said of it
    "promise": ("E22", "promise declares a known failure of 'E22': there is no promise 'E22': did you mean 'E2'?"),
    "cell": ("C1:text", "'C1:text': C1 is not judged tower by tower, expected 'C1'"),
}


def pytest_configure() -> None:
    """Register what $PLANT names."""
    for planted in filter(None, os.environ.get("PLANT", "").split(",")):
        found, declared = DRIFTS.get(planted, (lambda x, tower: x, {}))
        form = planted.removesuffix("-known")
        if form in FORMS:
            found, declared = FORMS[form], {"E1": known()} if planted.endswith("-known") else {}
        if planted in WRONG:
            declared = {WRONG[planted][0]: known(1e-3)}
        backends()[planted] = planted_backend(planted, found, declared)


def planted_backend(planted: str, found: Found, declared: Mapping[str, KnownFailure]) -> TorchEager:
    """torch eager with `found` behind it."""

    class Planted(TorchEager):
        name = planted
        precisions: tuple[str, ...] = ("fp32",)
        known_failures = declared

        def load(self, model, precision, device):  # type: ignore[no-untyped-def]
            return Altered(super().load(model, precision, device), found=found)

    return Planted()
