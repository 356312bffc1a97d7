"""Where the seconds of a run go: each one counts for the innermost thing that the main thread is doing."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

KINDS = {
    "start": "Python, pytest and the suite are imported, tests are collected",
    "load": "models and encoders are loaded and warmed up, or compiled by their first calls",
    "export": "files are exported and engines built that a later run finds in the cache",
    "forward": "encoders encode, the reference among them",
    "decode": "files become pixels",
    "measuring": "timed tests, with everything in them",
    "own": "all else: the suite's and pytest's own code, comparisons of vectors",
}


class Ledger:
    """Seconds by kind. Other threads' work counts for what the main thread does meanwhile."""

    def __init__(self, kind: str, since: float) -> None:
        """Begin with `kind`, at a time of `time.time()`."""
        self.seconds: dict[str, float] = defaultdict(float)
        self._kinds, self._since = [kind], time.perf_counter() - (time.time() - since)

    def _turn(self) -> None:
        now = time.perf_counter()
        self.seconds[self._kinds[-1]] += now - self._since
        self._since = now

    def switch(self, kind: str) -> None:
        """What follows is of another kind."""
        self._turn()
        self._kinds[-1] = kind

    def move(self, seconds: float, into: str) -> None:
        """Some of the current kind's last seconds were of another one."""
        self._turn()
        self.seconds[self._kinds[-1]] -= seconds
        self.seconds[into] += seconds

    @contextmanager
    def span(self, kind: str) -> Iterator[None]:
        """What happens inside counts for `kind`; loading and measuring take in all but another load."""
        inside = self._kinds[-1] in ("load", "measuring") and kind != "load"
        if inside or threading.current_thread() is not threading.main_thread():
            yield
            return
        self._turn()
        self._kinds.append(kind)
        try:
            yield
        finally:
            self._turn()
            self._kinds.pop()

    def within(self, kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, each call of which counts for `kind`."""

        @wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            with self.span(kind):
                return function(*args, **kwargs)

        return counted

    def so_far(self, kind: str) -> float:
        """Seconds of a kind until now."""
        self._turn()
        return self.seconds[kind]

    def end(self) -> dict[str, float]:
        """Seconds of every kind until now."""
        self._turn()
        return {kind: self.seconds[kind] for kind in KINDS}
