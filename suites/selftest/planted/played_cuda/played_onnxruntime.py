"""onnxruntime with a CUDA provider that is its CPU provider by another name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


class Binding:
    """An io_binding whose device is the CPU."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        """All else."""
        return getattr(self.real, name)

    def bind_output(self, name: str, device: str = "cpu", *args: Any, **kwargs: Any) -> None:
        """To host memory."""
        self.real.bind_output(name, _here(device), *args, **kwargs)


def _here(device: str) -> str:
    return "cpu" if device == "cuda" else device


def _session(real: type) -> type:
    class Session(real):  # type: ignore[misc]
        """Asked for CUDA, it says that it runs there."""

        def __init__(self, file: Any, options: Any = None, providers: Sequence[Any] | None = None, **kwargs: Any) -> None:
            asked = [entry if isinstance(entry, tuple) else (entry, {}) for entry in providers or ()]
            self.played: Mapping[str, Mapping[str, str]] = {name: given for name, given in asked if name == CUDA}
            here = [(CPU, {}) if name == CUDA else (name, given) for name, given in asked]
            super().__init__(file, options, providers=here, **kwargs)

        def get_providers(self) -> list[str]:
            return [*self.played, *super().get_providers()]

        def get_provider_options(self) -> dict[str, Any]:
            return {**super().get_provider_options(), **self.played}

        def io_binding(self) -> Binding:
            return Binding(super().io_binding())

        def run_with_iobinding(self, binding: Binding, run_options: Any = None) -> None:
            super().run_with_iobinding(binding.real, run_options)

        def end_profiling(self) -> str:
            file: str = super().end_profiling()
            if self.played:
                Path(file).write_text(Path(file).read_text(encoding="utf-8").replace(CPU, CUDA), encoding="utf-8")
            return file

    return Session


def play(module: Any) -> None:
    """The provider is there, its sessions and its memory are the CPU's."""
    available, from_numpy = module.get_available_providers, module.OrtValue.ortvalue_from_numpy
    module.get_available_providers = lambda: [CUDA, *available()]
    module.preload_dlls = lambda *args, **kwargs: None
    module.InferenceSession = _session(module.InferenceSession)
    module.OrtValue.ortvalue_from_numpy = staticmethod(
        lambda array, device="cpu", *args: from_numpy(array, _here(device), *args)
    )
