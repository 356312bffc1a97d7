"""The packages and libraries of a machine for CUDA: onnxruntime-gpu where onnxruntime is, and what its provider links."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fixtures.machine.facts import Facts

LINKED = frozenset({"libcudart.so.13", "libcublas.so.13", "libcudnn.so.9"})


def play(module: ModuleType) -> None:
    """`facts()` gives them from now on; torch is built for the CUDA that it says."""
    real: Callable[[], Facts] = module.facts

    @cache
    def facts() -> "Facts":
        found = real()
        packages = dict(found.packages)
        if "onnxruntime" in packages:
            packages["onnxruntime-gpu"] = packages.pop("onnxruntime")
        return replace(
            found,
            packages=packages,
            torch_cuda=found.torch_cuda or (13, 2),
            libraries=found.libraries | LINKED,
            providers={"cuda": LINKED},
        )

    module.facts = facts  # type: ignore[attr-defined]
