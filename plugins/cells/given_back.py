"""Memory that nobody needs any more is given back: at a switch of encoders, and after a build that failed."""

import gc
import sys
from contextlib import suppress
from dataclasses import dataclass

from fixtures.errors import Unavailable

NO_ROOM = ("out of memory", "allocate memory", "bad_alloc")  # in what torch, onnxruntime and C++ say of it, in any case


class CannotRun(Unavailable):
    """What the subjects were asked for cannot be had on this machine: a test that asked is skipped. A backend or a preprocessor
    that raises Unavailable while it works is not excused by that."""


class BuildFailed(Exception):
    """An encoder could not be built: a test that asked for it fails, in one sentence."""


@dataclass(frozen=True)
class NotBuilt:
    """Why an encoder is not there. Words alone: the exception's traceback would keep alive all that the build had allocated."""

    why: str
    unavailable: bool  # this machine cannot run it: a skip, not a failure
    no_room: bool  # memory ran out: beside a smaller encoder it may fit


def not_built(error: Exception) -> NotBuilt:
    """What there is to say of a build that raised `error`."""
    if isinstance(error, Unavailable):
        return NotBuilt(str(error), unavailable=True, no_room=False)
    words = f"{type(error).__name__}: {error}"
    return NotBuilt(words, False, isinstance(error, MemoryError) or any(say in words.lower() for say in NO_ROOM))


def give_back() -> None:
    """Free the last failed test's frames, which Python keeps for a debugger, cycles, and what torch caches on a CUDA device."""
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        vars(sys).pop(name, None)
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        with suppress(RuntimeError):  # a device that is lost gives nothing back
            torch.cuda.empty_cache()
