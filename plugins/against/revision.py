"""Extracts the files of a git revision into a folder of its own; the repository itself is only read."""

import os
import subprocess
from pathlib import Path

from fixtures.errors import BadInput


def top(folder: Path) -> Path:
    """The top folder of the repository that `folder` belongs to; raises BadInput if it belongs to none."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder: expected one in a git repository")
    found = _git(folder, "rev-parse", "--show-toplevel")
    if found.returncode != 0:
        reason = (found.stderr.strip().splitlines() or ["git says nothing"])[0]
        raise BadInput(f"{folder} is in no git repository ({reason}): name one with --against-repository=DIR")
    return Path(found.stdout.strip()).resolve()


def resolve(repository: Path, revision: str) -> str:
    """The commit hash of a revision; raises BadInput if there is no such revision."""
    found = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if found.returncode != 0:
        raise BadInput(f"no revision '{revision}' in {repository.name}: expected a commit, branch or tag that `git log` knows")
    return found.stdout.strip()


def holds(repository: Path, commit: str, path: Path) -> bool:
    """True if the commit has this file."""
    return _git(repository, "cat-file", "-e", f"{commit}:{path.as_posix()}").returncode == 0


def write_files(repository: Path, commit: str, target: Path) -> None:
    """Write every file of the commit below `target`, using a separate git index; raises BadInput if git fails."""
    target.mkdir(parents=True)
    index = {"GIT_INDEX_FILE": str(target.with_suffix(".index"))}
    for command in (["read-tree", commit], ["checkout-index", "--all", "--quiet", f"--prefix={target}/"]):
        done = _git(repository, *command, **index)
        if done.returncode != 0:
            raise BadInput(f"git {command[0]} failed in {repository.name}: {done.stderr.strip().splitlines()[-1:]}")


def _git(folder: Path, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run git in a folder, without the variables that git's hooks set for another repository."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        return subprocess.run(
            ["git", *command], cwd=folder, env={**inherited, **environment}, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise BadInput(f"git cannot be run ({error}): --against needs it") from error
