"""The processes that a supervised run starts are forks of its own, which find torch and open_clip imported."""

import subprocess
import weakref
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from fixtures.worker.fork import close_all_but
from plugins.parallel import workers
from plugins.supervision import supervisor
from suites.selftest import forked


class Forking:
    """Stands for the module subprocess where the suite starts itself once more."""

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    @staticmethod
    def Popen(
        arguments: Sequence[str], *, env: Mapping[str, str], pass_fds: Sequence[int], **more: Any
    ) -> subprocess.Popen[bytes]:
        """What follows `python -m pytest` runs where the new program would be loaded."""
        here = partial(_run, arguments[3:], env, pass_fds)
        return subprocess.Popen(arguments, env=env, pass_fds=pass_fds, preexec_fn=here, **more)


def _run(arguments: Sequence[str], environment: Mapping[str, str], kept: Sequence[int]) -> None:
    """Only the standard streams and what is passed on stay open: Popen waits until its own pipe closes."""
    close_all_but(*kept)
    weakref.finalize._registry.clear()  # type: ignore[attr-defined]  # temporary folders are its parent's
    assert forked.BEFORE
    forked.BEFORE.again()
    forked.run_here(arguments, environment)


for module in (supervisor, workers):
    vars(module)["subprocess"] = Forking()
