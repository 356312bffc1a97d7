"""The two sides of a comparison: which code and interpreter each one runs, and in which folder."""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures import IMPORTED_FROM, INSTALLED, PLACE, ROOT
from fixtures.errors import BadInput, Unavailable
from fixtures.registry import backends
from fixtures.storage.cache import ROOT as CACHE
from fixtures.worker.client import Worker
from plugins.against import revision

OLDEST = (3, 11)  # the Python version that the code requires
PROBE = "import sys; print(*sys.version_info[:2])"
OWN = PLACE / "registry.py"  # marks a backend of the suite itself


@dataclass(frozen=True)
class Code:
    """Where a backend's class comes from."""

    spec: str  # the worker's argument: a name of the registry, or module:Class
    root: Path  # the folder that its module is imported from
    file: Path  # that module's file, relative to it; OWN for the suite's own

    @classmethod
    def of(cls, name: str) -> "Code":
        """Return where the code of a registered backend is."""
        kind = type(backends()[name])
        file = Path(str(sys.modules[kind.__module__].__file__)).resolve()
        if kind.__module__.startswith(f"{'.'.join(PLACE.parts)}."):
            return cls(name, IMPORTED_FROM.resolve(), OWN)
        root = file.parents[kind.__module__.count(".") + (file.name == "__init__.py")]
        return cls(f"{kind.__module__}:{kind.__qualname__}", root, file.relative_to(root))


@dataclass(frozen=True)
class Side:
    """One side: an interpreter and the folders that it imports from."""

    what: str  # shown to the user
    python: Path
    paths: tuple[Path, ...]  # searched first
    root: Path  # where the backend must come from
    folder: Path  # where it runs; searched last, as in the run itself

    def start(self, name: str, code: Code) -> Worker:
        """Start a worker. Its builds are cached per code version, which the cache key of a build does not include."""
        digest = hashlib.sha256()
        for file in sorted(_sources((*self.paths, self.folder), code)):
            digest.update(file.read_bytes())
        cache = CACHE.resolve() / f"against-{digest.hexdigest()[:16]}"
        environment = {"CLIP_CONFORMANCE_CACHE": str(cache)}
        worker = Worker(f"{name} in {self.what}", self.python, self.paths, self.folder, environment, [self.folder])
        worker.what = self.what
        return worker


def _sources(paths: Iterable[Path], code: Code) -> set[Path]:
    """The Python files that define the builds: the first `fixtures` on the import path, and the backend's package or module."""
    ours = next(path / PLACE for path in paths if (path / OWN).exists())
    theirs = [path / code.file.parts[0] for path in paths if (path / code.file).exists()][:1]
    return {file for place in (ours, *theirs) for file in ([place] if place.is_file() else place.rglob("*.py"))}


class Choice:
    """The sides that --against, --against-repository and --against-python select; each revision is extracted once."""

    def __init__(self, config: pytest.Config) -> None:
        self.config, self.revision = config, config.getoption("--against")
        self.python = interpreter(config.getoption("--against-python"))
        self._folder = tempfile.TemporaryDirectory(prefix="clip-against-")
        self._written: dict[tuple[Path, str], Path] = {}

    def close(self) -> None:
        """Remove the extracted revisions."""
        self._folder.cleanup()

    def check(self, code: Code) -> None:
        """Raise BadInput if the revision does not exist, before any worker starts."""
        if self.revision:
            revision.resolve(self._repository(code), self.revision)

    def sides(self, code: Code) -> tuple[Side, Side]:
        """Return our side and the other; raises Unavailable if the other side lacks the backend."""
        started = self.config.invocation_params.dir.resolve()
        named = [Path(part).resolve() for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
        # One that is where the run was started was found last of all, and belongs there; the suite's own are in the suite.
        front = [] if code.root == started or code.file == OWN else [code.root]
        paths = tuple(dict.fromkeys((self._suite(), *front, *named)))
        ours = Side("this working tree" if self.revision else "this Python", Path(sys.executable), paths, code.root, started)
        python = self.python or ours.python
        if not self.revision:
            return ours, Side(str(python), python, paths, code.root, started)
        repository = self._repository(code)
        commit = revision.resolve(repository, self.revision)
        what = f"revision {self.revision} ({commit[:10]})" + (f" under {python}" if self.python else "")
        inside = code.root.is_relative_to(repository)
        places = [code.root.relative_to(repository)] if inside else [Path(), Path("src")]
        there = next((place for place in places if revision.holds(repository, commit, place / code.file)), None)
        if there is None:
            where = f"{what} of {repository.name} has no {code.file}"
            raise Unavailable(f"{where}: nothing to compare with; --against-repository=DIR names another repository")
        written = self._write(repository, commit)

        def moved(path: Path) -> Path:
            if path == code.root:
                return written / there
            return written / path.relative_to(repository) if path.is_relative_to(repository) else path

        folder = moved(started)
        folder = folder if folder.is_dir() else started
        return ours, Side(what, python, tuple(map(moved, paths)), moved(code.root), folder)

    def _suite(self) -> Path:
        """The folder that both sides import the suite from. The one of an installed suite holds all other installed packages
        too, which another interpreter must not see: a folder with a link to the suite alone stands for it."""
        if not INSTALLED:
            return ROOT.resolve()
        folder = Path(self._folder.name).resolve() / "suite"
        if not folder.exists():
            folder.mkdir()
            (folder / PLACE.parts[0]).symlink_to(ROOT.resolve())
        return folder

    def _repository(self, code: Code) -> Path:
        return revision.top((self.config.getoption("--against-repository") or code.root).resolve())

    def _write(self, repository: Path, commit: str) -> Path:
        if (repository, commit) not in self._written:
            target = Path(self._folder.name).resolve() / f"{len(self._written)}"
            revision.write_files(repository, commit, target)
            for environment in repository.glob(".venv-*"):  # isolated backends find their interpreters beside their code
                (target / environment.name).symlink_to(environment)
            self._written[repository, commit] = target
        return self._written[repository, commit]


def interpreter(named: Path | None) -> Path | None:
    """The absolute path of --against-python; links stay, because they identify a virtual environment. Raises BadInput."""
    if named is None:
        return None
    python = named.expanduser().absolute()
    try:
        answer = subprocess.run([python, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60).stdout
        version = tuple(map(int, answer.split()))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise BadInput(f"{named} is no Python that runs ({error}): expected a path such as .venv-old/bin/python") from error
    if version < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise BadInput(f"{named} is Python {'.'.join(map(str, version))}: expected {wanted} or newer")
    return python
