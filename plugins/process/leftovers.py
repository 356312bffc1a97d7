"""Child processes, non-daemon threads, open files and sockets: lists them, finds new ones, and ends child processes."""

import gc
import os
import sys
import threading
import time
import warnings
from collections import Counter
from concurrent.futures import thread as futures_thread
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

GRACE_S = 3.0  # wait for things that are ending by themselves; the suite's workers need up to 2 s
# Kept by a library for the whole process, and ended with it: torch's pool of compilers, Python's and joblib's trackers.
SHARED_CHILDREN = (
    "torch._inductor.compile_worker", "multiprocessing.resource_tracker", "multiprocessing.forkserver",
    "loky.backend.resource_tracker",
)  # fmt: skip

# onnxruntime's telemetry, from its first session on: a database, and in 1.29 a log in the temporary folder.
SHARED_FILES = (f"{os.sep}.onnxruntime{os.sep}onnxruntime.db", f"{os.sep}mat-debug-")


@dataclass
class Holdings:
    """What a process holds: children and their descendants, threads that keep it alive, regular files and sockets by name."""

    children: dict[tuple[int, float], Any]
    threads: dict[int, threading.Thread]
    files: Counter[str]

    def beyond(self, other: "Holdings") -> "Holdings":
        """What this holds and `other` does not."""
        children = {key: child for key, child in self.children.items() if key not in other.children}
        threads = {key: thread for key, thread in self.threads.items() if key not in other.threads}
        return Holdings(children, threads, self.files - other.files)

    def add(self, more: "Holdings") -> None:
        """Add these to what is known."""
        self.children |= more.children
        self.threads |= more.threads
        self.files += more.files

    def __bool__(self) -> bool:
        return bool(self.children or self.threads or self.files)

    def sentences(self) -> list[str]:
        """One sentence for each."""
        return [
            *(f"child process {pid} ({_command(child)}) was left running" for (pid, _), child in self.children.items()),
            *(f"thread '{thread.name}' was left running{_place(thread)}" for thread in self.threads.values()),
            *(f"{name} was left open{f' {count} times' if count > 1 else ''}" for name, count in self.files.items()),
        ]

    def end(self) -> None:
        """Terminate the child processes, and kill those that remain; threads and files cannot be ended from outside."""
        import psutil

        for child in self.children.values():
            with suppress(psutil.NoSuchProcess):
                child.terminate()
        _, alive = psutil.wait_procs(list(self.children.values()), timeout=GRACE_S)
        for child in alive:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(alive, timeout=GRACE_S)


def held() -> Holdings:
    """What this process holds now."""
    import psutil

    this = psutil.Process()
    children = {}
    for child in this.children(recursive=True):
        with suppress(psutil.Error):
            command = " ".join(child.cmdline())
            if child.status() != psutil.STATUS_ZOMBIE and not any(part in command for part in SHARED_CHILDREN):
                children[child.pid, child.create_time()] = child
    files: Counter[str] = Counter()
    with suppress(psutil.Error):
        own = [file.path for file in this.open_files() if file.fd > 2 and not file.path.startswith("/dev/")]
        files.update(f"file {path}" for path in own if not any(part in path for part in SHARED_FILES))
        files.update(f"socket {_address(end)}" for end in this.net_connections("all"))
    return Holdings(children, {thread.ident or 0: thread for thread in threading.enumerate() if keeps_alive(thread)}, files)


def left(before: Holdings) -> Holdings:
    """What is new since then, after a wait for things that are ending."""
    until = time.monotonic() + GRACE_S
    while new := held().beyond(before):
        if time.monotonic() > until:
            break
        time.sleep(0.05)
    return new


def keeps_alive(thread: threading.Thread) -> bool:
    """True for a thread that the process waits for at exit; idle threads of an executor end by themselves then."""
    if thread.daemon or thread is threading.main_thread():
        return False
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is None or frame.f_code is not futures_thread._worker.__code__


def collected() -> list[str]:
    """Collect garbage; return what was freed without being closed, which would otherwise be the next test's warning."""
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        vars(sys).pop(name, None)  # pytest keeps the last failure here, and its frames keep the test's objects alive
    ignored: list[str] = []
    hook, sys.unraisablehook = sys.unraisablehook, lambda what: ignored.append(f"{what.exc_value!r} in {what.object!r}")
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", ResourceWarning)
            gc.unfreeze()
            gc.collect()
            gc.freeze()  # until the next time, collections pass over what lives on: beside torch that takes each of them 0.3 s
    finally:
        sys.unraisablehook = hook
    return [str(warning.message).strip() for warning in heard] + ignored


def _command(child: Any) -> str:
    import psutil

    with suppress(psutil.Error):
        command = " ".join(child.cmdline()) or child.name()
        return command if len(command) <= 60 else f"{command[:59]}…"
    return "already ended"


def _place(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    return f" in {frame.f_code.co_name} ({os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno})" if frame else ""  # noqa: PTH119


def _address(end: Any) -> str:
    kind = {1: "unix", 2: "IPv4", 10: "IPv6", 30: "IPv6"}.get(int(end.family), str(end.family))
    where = ":".join(map(str, end.laddr)) if isinstance(end.laddr, tuple) else str(end.laddr)
    return f"{kind} {where}".strip()
