"""Frees unused memory: between two encoders, and after a failed build."""

import gc
import sys
from contextlib import suppress
from dataclasses import dataclass

from fixtures.errors import Unavailable

NO_ROOM = ("out of memory", "allocate memory", "bad_alloc")  # in what torch, onnxruntime and C++ say of it, in any case


class CannotRun(Unavailable):
    """A subject is not available on this machine, so the test is skipped. A backend or a preprocessor
    that raises Unavailable later, during its calls, is not excused by this."""


class BuildFailed(Exception):
    """An encoder could not be built, so the test fails in one sentence."""


@dataclass(frozen=True)
class NotBuilt:
    """Why an encoder was not built. Text only: an exception's traceback would keep alive what the build had allocated."""

    why: str
    unavailable: bool  # this machine cannot run it, so tests skip
    no_room: bool  # memory ran out: it may fit together with a smaller encoder


def not_built(error: Exception) -> NotBuilt:
    """Describe a build that raised `error`."""
    if isinstance(error, Unavailable):
        return NotBuilt(str(error), unavailable=True, no_room=False)
    words = f"{type(error).__name__}: {error}"
    return NotBuilt(words, False, isinstance(error, MemoryError) or any(say in words.lower() for say in NO_ROOM))


def give_back() -> None:
    """Free the frames of the last failed test, which Python keeps for debuggers, reference cycles, and torch's CUDA cache."""
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        vars(sys).pop(name, None)
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        with suppress(RuntimeError):  # a lost device frees nothing
            torch.cuda.empty_cache()
