"""One combination: an environment of its own, what was really installed in it, and the checks."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.errors import BadInput
from suites.studies.versions_tried.checks import checks, run, scrubbed
from suites.studies.versions_tried.combinations import Combination

TABLES = ("cpu", "transformers")  # extras of pyproject.toml that are installed beside the dependencies
GIB = 2**30
NEEDED_GIB = 9  # an environment with torch's CUDA libraries, and its download
VERSIONS = "import importlib.metadata as m, json; print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"


Row = dict[str, Any]


class NotTried(Exception):
    """Why a combination could not be tried, in one sentence."""


def trial(combination: Combination, python: Path | None, folder: Path, before: Row) -> Iterator[Row]:
    """After each check: what was installed and what the checks said so far; or the reason why it could not be tried.

    `before` is what an interrupted trial gave last: its checks are not run again. `folder` is removed at the end.
    Raises BadInput when the disk is too full.
    """
    if python is None:
        version = combination.python
        yield {"reason": f"no python{version} was found: install it, or name it with --python {version}=PATH"}
        return
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < NEEDED_GIB * GIB:
        raise BadInput(f"{folder} has less than {NEEDED_GIB} GiB left: free some, or set CLIP_CONFORMANCE_CACHE")
    try:
        own = install(combination, python, folder)
    except NotTried as reason:
        shutil.rmtree(folder)
        yield {"reason": str(reason)}
        return
    said, of = dict(before.get("checks", {})), checks(folder / "history")
    for check in of:
        if check.name not in said:
            said[check.name] = run(check, own, folder)
            whole = len(said) == len(of)
            yield {"packages": packages(own), "checks": dict(said), "warnings": warned(folder), "whole": whole}
    shutil.rmtree(folder)


def requirements() -> list[str]:
    """The ranges of pyproject.toml, as a user installs them, and what the selftests need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = [line for table in TABLES for line in project["project"]["optional-dependencies"][table]]
    return [*project["project"]["dependencies"], *extras, *project["dependency-groups"]["dev"]]


def install(combination: Combination, python: Path, folder: Path) -> Path:
    """The interpreter of an environment that has the ranges at the combination's versions; raises NotTried.

    It is made anew unless an interrupted trial has left it whole.
    """
    own, done, pins = folder / "venv" / "bin" / "python", folder / "venv" / "installed.txt", folder / "constraints.txt"
    wanted = "\n".join(f"{name}=={version}" for name, version in combination.pins.items())
    asked = "\n".join([wanted, *requirements()])
    if not done.exists() or done.read_text() != asked:
        shutil.rmtree(folder)
        folder.mkdir()
        pins.write_text(wanted)
        _run(folder, str(python), "-m", "venv", str(folder / "venv"))
        quiet = ("--quiet", "--disable-pip-version-check", "--no-compile")
        # All in one command, or a later one would upgrade torch without its torchvision.
        _run(folder, str(own), "-m", "pip", "install", *quiet, "--constraint", str(pins), *requirements())
        done.write_text(asked)
    return own


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["it said nothing"]
        raise NotTried(scrubbed(f"{command[2]} failed: {errors[0]}", folder))


def packages(python: Path) -> dict[str, str]:
    """Every distribution of an environment, by name in small letters."""
    said = subprocess.run([str(python), "-c", VERSIONS], capture_output=True, text=True, check=True).stdout
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in sorted(json.loads(said).items())}


def warned(folder: Path) -> list[str]:
    """What libraries warned about while encoders were built, in any row of any report."""
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    return sorted({scrubbed(line, folder) for report in reports for row in report["cells"] for line in row.get("warnings", [])})


def interpreter(version: str, named: dict[str, str]) -> Path | None:
    """The Python of that major.minor: named, this one, or on the path; None when there is none that runs."""
    if version not in named and sys.version.startswith(f"{version}."):
        return Path(sys.executable)
    found = named.get(version) or shutil.which(f"python{version}")
    probe = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        said = subprocess.run([str(found), "-c", probe], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # a launcher without a Python behind it
        return None
    return Path(str(found)) if said == version else None
