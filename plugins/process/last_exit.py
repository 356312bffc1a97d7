"""Lets no child process or thread keep the run from ending: after everything is written, the process exits without them."""

import atexit
import os
import sys
import threading
import time
from contextlib import suppress

import pytest

from fixtures.progress import say
from plugins.process.left_behind import watch
from plugins.process.leftovers import keeps_alive

GRACE_S = 5.0  # for threads that end by themselves when the interpreter shuts down
POLL_S = 0.5


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End remaining child processes, then start a thread that ends this process if other threads keep it alive."""
    if watch().during:
        watch().sweep()
    threading.Thread(target=_leave, args=[session], daemon=True, name="last exit").start()


def _leave(session: pytest.Session) -> None:
    while not _ending():
        time.sleep(POLL_S)
    until = time.monotonic() + GRACE_S
    while time.monotonic() < until:
        time.sleep(POLL_S)
    names = ", ".join(f"'{thread.name}'" for thread in threading.enumerate() if keeps_alive(thread))
    say(f"the run has ended and exits without waiting for thread {names}, which does not end")
    atexit._run_exitfuncs()  # what the interpreter would run next: coverage writes its data, workers end
    with suppress(OSError, ValueError):  # the reader of a pipe may be gone
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(int(session.exitstatus))


def _ending() -> bool:
    """True while the interpreter waits for threads, its first step at shutdown."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        if frame.f_code is threading._shutdown.__code__:  # type: ignore[attr-defined]
            return True
        frame = frame.f_back
    return False
