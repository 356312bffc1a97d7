"""Lets threads meet in the middle of a call: between lines of Python they wait a moment, at random."""

import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SHARE, PAUSE_S = 0.3, 2e-5  # of lines that are followed by a pause; long enough for another thread to run


@contextmanager
def stepping(subject: object, seed: int) -> Iterator[None]:
    """In this thread, pauses between the lines of the packages that the subject's classes come from.

    A call of a millisecond is over before another thread takes its turn, so a buffer that two calls share would be mixed up
    once in hundreds of calls only, and on a busy machine never.
    """
    packages = {cls.__module__.partition(".")[0] for cls in type(subject).__mro__} - {"builtins", "abc"}
    draw, before = random.Random(seed), sys.gettrace()

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line" and draw.random() < SHARE:
            time.sleep(PAUSE_S)
        return line

    def call(frame: FrameType, event: str, argument: Any) -> Any:
        return line if str(frame.f_globals.get("__name__")).partition(".")[0] in packages else None

    sys.settrace(call)
    try:
        yield
    finally:
        sys.settrace(before)
