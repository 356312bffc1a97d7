"""No child and no thread keeps the run from ending: once everything is written, the process leaves without them."""

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

GRACE_S = 5.0  # for threads that end by themselves once the interpreter has begun to
POLL_S = 0.5


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what still runs, and start to watch; whoever started pytest may go on for as long as it likes."""
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
    say(f"the run has ended, and leaves without thread {names}, which does not end")
    atexit._run_exitfuncs()  # what the interpreter would do next: coverage writes its data, workers are ended
    with suppress(OSError, ValueError):  # whoever read may be gone
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(int(session.exitstatus))


def _ending() -> bool:
    """True while the interpreter waits for threads, which is the first thing that it does at its end."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        if frame.f_code is threading._shutdown.__code__:  # type: ignore[attr-defined]
            return True
        frame = frame.f_back
    return False
