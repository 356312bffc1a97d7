"""Settings that the whole process shares and a cell can change: how each is read, compared and restored. Imports no library."""

import gc
import locale
import os
import random
import signal
import socket
import sys
import sysconfig
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from plugins.process.drawn import only_drawn

Read = Callable[[], Any]
Put = Callable[[Any], object]
# Set by pytest, by torch's compilers and their workers, and by importing cv2, deepspeed and scikit-learn.
NOBODYS_VARIABLES = (
    "PYTEST_",
    "TORCHINDUCTOR_",
    "_TORCHINDUCTOR_",
    "TRITON_",
    "LD_LIBRARY_PATH",
    "PYTORCH_NVML_BASED_CUDA_CHECK",
    "KMP_DUPLICATE_LIB_OK",
    "KMP_INIT_AT_FORK",
)
SITES = tuple(f"{sysconfig.get_path(name)}{os.sep}" for name in ("purelib", "platlib"))


@dataclass(frozen=True)
class Setting:
    """`read` returns the value and `put` sets it; the setting is checked only after `module` has been imported."""

    read: Read
    put: Put | None = None  # None if it cannot be set; changes are reported all the same
    module: str = "sys"
    harmless: Callable[[Any, Any], bool] = lambda before, after: False  # restored, but not reported
    first: Read | None = None  # the value right after import


def _torch(path: str) -> Setting:
    """An attribute of torch, as `backends.cudnn.benchmark`."""
    *parents, last = path.split(".")

    def parent() -> Any:
        found = sys.modules["torch"]
        for name in parents:
            found = getattr(found, name)
        return found

    return Setting(lambda: getattr(parent(), last), lambda value: setattr(parent(), last, value), "torch")


def _asked(module: str, get: str, put: str | None) -> Setting:
    """A pair of functions of a module, as `get_num_threads` and `set_num_threads`."""

    def of(path: str) -> Any:
        found: Any = sys.modules[module]
        for name in path.split("."):
            found = getattr(found, name)
        return found

    return Setting(lambda: of(get)(), None if put is None else lambda value: of(put)(value), module)


def _attribute(module: str, name: str, first: Any) -> Setting:
    def put(value: Any) -> None:
        setattr(sys.modules[module], name, value)

    return Setting(lambda: getattr(sys.modules[module], name), put, module, first=lambda: first)


def _paths() -> list[str]:
    """sys.path without folders of installed packages, because some packages add those when they are imported."""
    return [path for path in sys.path if not path.startswith(SITES)]


def _put_paths(wanted: list[str]) -> None:
    sys.path[:] = [*wanted, *(path for path in sys.path if path.startswith(SITES))]


def _flushes() -> bool:
    """True where this thread's processor state turns results below the smallest normal number into 0."""
    return sys.float_info.min / 2 == 0.0


HEARD = [
    getattr(signal, f"SIG{name}")
    for name in ("INT", "TERM", "HUP", "USR1", "USR2", "ALRM", "CHLD")
    if hasattr(signal, f"SIG{name}")
]


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in HEARD}


def _put_handlers(wanted: dict[int, Any]) -> None:
    for number, handler in wanted.items():
        if handler is not None and signal.getsignal(number) != handler:  # None: not set from Python
            signal.signal(number, handler)


def _put_variables(wanted: dict[str, str]) -> None:
    for name in [name for name in _variables() if name not in wanted]:
        del os.environ[name]
    for name in [name for name, value in wanted.items() if os.environ.get(name) != value]:
        os.environ[name] = wanted[name]


def _variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(NOBODYS_VARIABLES)}


def _numpy_random() -> tuple[bytes, int]:
    state: Any = np.random.get_state()
    return np.asarray(state[1]).astype("<u4").tobytes(), int(state[2])


def _put_numpy_random(state: tuple[bytes, int]) -> None:
    words: Any = np.frombuffer(state[0], "<u4")
    np.random.set_state(("MT19937", words, state[1], 0, 0.0))


def _torch_random() -> tuple[int, bytes]:
    torch = sys.modules["torch"]
    return torch.initial_seed(), torch.get_rng_state().numpy().tobytes()


def _put_torch_random(state: tuple[int, bytes]) -> None:
    torch = sys.modules["torch"]
    torch.set_rng_state(torch.frombuffer(bytearray(state[1]), dtype=torch.uint8))


def _cv2_threads() -> int:
    return int(os.environ.get("OPENCV_FOR_THREADS_NUM", 0)) or int(sys.modules["cv2"].getNumberOfCPUs())


def _deterministic() -> tuple[bool, bool]:
    torch = sys.modules["torch"]
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


SETTINGS: dict[str, Setting] = {
    "environment variables": Setting(_variables, _put_variables),
    "working directory": Setting(os.getcwd, os.chdir),
    "locale": Setting(lambda: locale.setlocale(locale.LC_ALL), lambda name: locale.setlocale(locale.LC_ALL, name)),
    "signal handlers": Setting(_handlers, _put_handlers),
    "sys.path": Setting(_paths, _put_paths),
    "thread switch interval": Setting(sys.getswitchinterval, sys.setswitchinterval),
    "garbage collection": Setting(gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
    "garbage collection thresholds": Setting(gc.get_threshold, lambda values: gc.set_threshold(*values)),
    "socket timeout": Setting(socket.getdefaulttimeout, socket.setdefaulttimeout),
    "flush to zero": Setting(_flushes, lambda on: sys.modules["torch"].set_flush_denormal(on), "torch"),
    "random": Setting(
        random.getstate, random.setstate, harmless=lambda a, b: only_drawn(a[1][:-1], a[1][-1], b[1][:-1], b[1][-1])
    ),
    "numpy.random": Setting(_numpy_random, _put_numpy_random, harmless=lambda a, b: only_drawn(*a, *b)),
    "numpy.seterr": Setting(np.geterr, lambda wanted: np.seterr(**wanted)),
    "PIL.ImageFile.LOAD_TRUNCATED_IMAGES": _attribute("PIL.ImageFile", "LOAD_TRUNCATED_IMAGES", False),
    "PIL.Image.MAX_IMAGE_PIXELS": _attribute("PIL.Image", "MAX_IMAGE_PIXELS", 2**30 // 12),
    "cv2 threads": replace(_asked("cv2", "getNumThreads", "setNumThreads"), first=_cv2_threads),
    "cv2 optimised code": replace(_asked("cv2", "useOptimized", "setUseOptimized"), first=lambda: True),
    "torch random": Setting(_torch_random, _put_torch_random, "torch", harmless=lambda a, b: a[0] == b[0]),
    "torch default dtype": _asked("torch", "get_default_dtype", "set_default_dtype"),
    "torch default device": _asked("torch", "get_default_device", "set_default_device"),
    "torch gradient mode": _asked("torch", "is_grad_enabled", "set_grad_enabled"),
    "torch inference mode": _asked("torch", "is_inference_mode_enabled", None),
    "torch anomaly mode": _asked("torch", "is_anomaly_enabled", "set_anomaly_enabled"),
    "torch threads": _asked("torch", "get_num_threads", "set_num_threads"),
    "torch threads between operators": _asked("torch", "get_num_interop_threads", None),
    "torch deterministic algorithms": Setting(
        _deterministic, lambda on: sys.modules["torch"].use_deterministic_algorithms(on[0], warn_only=on[1]), "torch"
    ),
    # TF32: an encoder sets it before each call (Encoder.restore_settings), and E9 judges what it sets for itself.
    "torch float32 matmul precision": replace(
        _asked("torch", "get_float32_matmul_precision", "set_float32_matmul_precision"),
        harmless=lambda before, after: after in ("highest", "high"),
    ),
    "torch.backends.cudnn.allow_tf32": replace(_torch("backends.cudnn.allow_tf32"), harmless=lambda before, after: True),
    "torch oneDNN": _asked("torch", "_C._get_mkldnn_enabled", "_C._set_mkldnn_enabled"),
    "torch quantized engine": _torch("backends.quantized.engine"),
    "torch attention fast path": _asked("torch", "backends.mha.get_fastpath_enabled", "backends.mha.set_fastpath_enabled"),
    **{
        f"torch.{name}": _torch(name)
        for name in (
            *(f"backends.cudnn.{flag}" for flag in ("enabled", "benchmark", "deterministic")),
            "backends.cuda.matmul.allow_fp16_reduced_precision_reduction",
            "backends.cuda.matmul.allow_bf16_reduced_precision_reduction",
        )
    },
    **{
        f"torch {kind} attention": _asked("torch", f"backends.cuda.{kind}_sdp_enabled", f"backends.cuda.enable_{kind}_sdp")
        for kind in ("flash", "mem_efficient", "math", "cudnn")
    },
}  # fmt: skip
if hasattr(os, "sched_getaffinity"):
    SETTINGS["processors it may run on"] = Setting(
        lambda: os.sched_getaffinity(0), lambda cores: os.sched_setaffinity(0, cores)
    )


def seen() -> dict[str, Any]:
    """All settings that can be read now, by name; takes well under a millisecond."""
    found = {}
    for name, setting in SETTINGS.items():
        if setting.module in sys.modules:
            with suppress(Exception):  # partly imported, or a version without this setting
                found[name] = setting.read()
    return found


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The settings that differ: name to the values before and after."""
    found = {}
    for name, now in after.items():
        first = SETTINGS[name].first
        was = before[name] if name in before else first() if first else now
        if was != now:
            found[name] = was, now
    return found


def put_back(changed: dict[str, tuple[Any, Any]]) -> list[str]:
    """Restore these settings; return the names of those that could not be restored."""
    for name, (was, _) in changed.items():
        put = SETTINGS[name].put
        with suppress(Exception):
            if put:
                put(was)
    return [name for name, (was, _) in changed.items() if SETTINGS[name].read() != was]


def harmless(name: str, before: Any, after: Any) -> bool:
    """True if only numbers were drawn from a global generator, which is harmless."""
    return SETTINGS[name].harmless(before, after)


def described(name: str, before: Any, after: Any) -> str:
    """One change as a short sentence."""
    if "random" in name:
        return f"{name} was seeded again"
    if isinstance(before, dict):
        parts = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        return f"{name}: " + ", ".join(
            f"{key} was {_short(before.get(key))} and is {_short(after.get(key))}" for key in parts[:4]
        )
    if isinstance(before, list):
        gone, new = ([item for item in one if item not in other] for one, other in ((before, after), (after, before)))
        return f"{name}: added {_short(new)}, removed {_short(gone)}"
    return f"{name} was {_short(before)} and is {_short(after)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
