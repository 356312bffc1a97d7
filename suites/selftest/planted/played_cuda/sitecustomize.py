"""A machine with one CUDA device, played on the CPU, in every Python process that has this folder in PYTHONPATH.

What answers is played (the driver's library, torch's device, onnxruntime's provider); our own code runs as it is, so every
branch for CUDA runs here. Numbers are the CPU's: nothing about a GPU's arithmetic or speed is shown.
"""

import ctypes
import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[4]
FOLDER = "suites.selftest.planted.played_cuda"
PLAYED = {
    "torch": "played_torch",
    "onnxruntime": "played_onnxruntime",
    "fixtures.machine.facts": "played_facts",
    "fixtures.backends._torch": "played_products",
}
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))
NAME: str = importlib.import_module(FOLDER).NAME


class Loader(importlib.abc.Loader):
    """Loads as the real loader does, then hands the module to `play` of the file that is named for it."""

    def __init__(self, real: importlib.abc.Loader, file: str) -> None:
        self.real, self.file = real, file

    def __getattr__(self, name: str) -> Any:
        """All else that a loader is asked for."""
        return getattr(self.real, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Of the real loader."""
        return self.real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """The module is whole when it is played with."""
        self.real.exec_module(module)
        importlib.import_module(f"{FOLDER}.{self.file}").play(module)


class Finder(importlib.abc.MetaPathFinder):
    """Finds what is in PLAYED, and gives it a Loader."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """As the finders behind this one find it."""
        if name not in PLAYED:
            return None
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if finder is not self else None
            if spec and spec.loader:
                spec.loader = Loader(spec.loader, PLAYED[name])
                return spec
        return None


class Library:
    """libcuda and NVML of a driver for CUDA 13.2 with one device of compute capability 9.0."""

    ANSWERS = {"cuDriverGetVersion": 13020, "cuDeviceGetCount": 1, "cuDeviceGet": 0}
    ATTRIBUTES = {75: 9, 76: 0}  # CUdevice_attribute: the capability's major and minor

    def __getattr__(self, name: str) -> Any:
        """Each function fills its first argument if it has an answer, and reports success."""

        def function(*arguments: Any) -> int:
            if name in self.ANSWERS:
                arguments[0]._obj.value = self.ANSWERS[name]
            elif name == "cuDeviceGetName":
                arguments[0].value = NAME.encode()
            elif name == "cuDeviceGetAttribute":
                arguments[0]._obj.value = self.ATTRIBUTES[arguments[1]]
            elif name == "nvmlSystemGetDriverVersion":
                arguments[0].value = b"595.45.04"
            return 0

        return function


class Libraries(ctypes.CDLL):
    """ctypes.CDLL, with the driver's libraries played."""

    def __new__(cls, name: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """A Library for theirs, the real one for every other name."""
        return Library() if name in ("libcuda.so.1", "libnvidia-ml.so.1") else object.__new__(cls)


sys.meta_path.insert(0, Finder())
ctypes.CDLL = Libraries  # type: ignore[misc]
