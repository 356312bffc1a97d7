"""Inner runs as forks of one process that has imported open_clip and pytest: that takes 4 of the 6 seconds of a small run."""

import atexit
import functools
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from suites.selftest.patience import HANG_S

ROOT = Path(__file__).parents[2]  # not fixtures.ROOT: the server imports nothing that a fork is to import for itself
# Variables that a process reads when it starts, and the limit on files (small_disk.py), which the output here goes to.
# Folders of PYTHONPATH are added in the fork.
NEED_A_PROCESS = ("LD_", "PYTHON", "FILE_BYTES")
FOLDERS = "PYTHONPATH"
# open_clip imports anyio, which is a plugin of pytest's too, whose asserts it can then no longer rewrite.
EARLY = ("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")
FORKING = ("-p", "suites.selftest.planted.forking")


def run(
    arguments: Sequence[str], variables: Mapping[str, str], supervised: bool = False, folder: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """`pytest` with these arguments and variables, in a folder, to its end; one that hangs dies of SIGALRM.

    The children of a `supervised` run are forks too.
    """
    with tempfile.TemporaryDirectory() as place:
        printed = {name: Path(place) / name for name in ("stdout", "stderr")}
        files = {name: str(path) for name, path in printed.items()}
        early = [*EARLY, *(FORKING if supervised else ["--unsupervised"])]
        environment = {**os.environ, "COLUMNS": "200", **variables}
        order = {"arguments": [*early, *arguments], "environment": environment, "folder": str(folder), **files}
        server = _server()
        assert server.stdin and server.stdout
        server.stdin.write(json.dumps(order) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        said = {name: path.read_text(encoding="utf-8") for name, path in printed.items()}
    return subprocess.CompletedProcess(["pytest", *arguments], code, **said)


@functools.cache
def _server() -> "subprocess.Popen[str]":
    """It ends where its standard input does."""
    command = [sys.executable, "-m", __name__]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.communicate)
    return server


class Imported(NamedTuple):
    """What a process has imported, and how it imports."""

    modules: frozenset[str]
    path: list[str]
    finders: list[Any]

    @classmethod
    def now(cls) -> "Imported":
        """Of this process."""
        return cls(frozenset(sys.modules), [*sys.path], [*sys.meta_path])

    def again(self) -> None:
        """Forget what was imported since."""
        for name in set(sys.modules) - self.modules:
            del sys.modules[name]
        sys.path[:], sys.meta_path[:] = self.path, self.finders


BEFORE: Imported | None = None  # in a fork of the server: what the server has imported


def _serve() -> None:
    """One order a line; the answer is an exit code as subprocess has it."""
    import open_clip  # noqa: F401
    import pytest  # noqa: F401

    from suites.selftest import forked  # this module, under the name by which others find it

    forked.BEFORE = Imported.now()
    gc.freeze()  # a collection would write to every imported object, and so copy all of them in every fork

    for line in sys.stdin:
        child = os.fork()
        if not child:
            _obey(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    gc.unfreeze()


def _obey(arguments: list[str], environment: dict[str, str], folder: str, stdout: str, stderr: str) -> None:
    os.chdir(folder)
    for number, path in enumerate((os.devnull, stdout, stderr)):
        file = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    run_here(arguments, environment)


def run_here(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """`pytest` with these arguments and variables, in this process, which ends with it."""
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:1] = [str(Path.cwd()), *filter(None, environment.get(FOLDERS, "").split(os.pathsep))]
    signal.alarm(HANG_S)
    sys.argv = ["pytest", *arguments]
    import pytest

    code = pytest.main()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # taking down what was imported would cost as much as freezing it has saved


if __name__ == "__main__":
    _serve()
