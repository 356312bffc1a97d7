"""Somebody else's repository beside an installed suite: the example of docs/install.md, and folders named like our rooms."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

from fixtures import ROOT
from suites.selftest.patience import HANG_S

EXAMPLE = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "install.md").read_text(encoding="utf-8"), re.DOTALL)[0]
ROOMS = ("fixtures", "plugins", "suites")
# What `load` does first: it imports from their folders, long after the suite was, and looks at what a worker is given.
LOOK = "assert 'site-packages' not in os.environ.get('PYTHONPATH', '')"
LATE = "\n        ".join(["import os", *(f"from {room}.ours import THEIRS as _{room}" for room in ROOMS), LOOK])
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


def done(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a command prints; its errors are raised with what it said."""
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=HANG_S, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def wheel(folder: Path) -> Path:
    """The wheel of this repository, built into a folder; hatchling is in the environment, so no network is needed."""
    done(*PIP, "wheel", "--no-deps", "--no-index", "--no-build-isolation", f"--wheel-dir={folder}", str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


class Stranger:
    """A fresh environment with the wheel installed, which sees this one's libraries, and a repository that is not ours."""

    def __init__(self, folder: Path, built: Path) -> None:
        self.folder, environment = folder / "theirs", folder / "venv"
        done(sys.executable, "-m", "venv", "--without-pip", environment)
        self.bin = environment / "bin"
        (site,) = environment.glob("lib/python*/site-packages")
        (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
        done(*PIP, "--python", self.bin / "python", "install", "--no-deps", "--no-index", built)
        self.package = site / "clip_conformance"
        for room in ROOMS:
            self.write(f"{room}/__init__.py", "")
            self.write(f"{room}/ours.py", "THEIRS = True\n")
        self.example()

    def write(self, name: str, text: str) -> None:
        """A file of their repository."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def example(self, download: str = "embedding.numpy()") -> None:
        """The page's file, which imports from their folders too, first and late; another `download` is a fault."""
        late = EXAMPLE.replace("        return OurEncoder(", f"        {LATE}\n        return OurEncoder(")
        assert LATE in late and "embedding.numpy()" in late
        early = '"""\n\nfrom fixtures.ours import THEIRS\n'
        self.write("ours.py", late.replace('"""\n', early, 1).replace("embedding.numpy()", download))

    def types(self, *command: str) -> subprocess.CompletedProcess[str]:
        """`clip-conformance` and so on in their folder, with caches of their own."""
        own = {"XDG_CACHE_HOME": str(self.folder / "cache"), "COLUMNS": "200"}
        unset = ("CLIP_CONFORMANCE_CACHE", "PYTHONPATH", "PYTEST_ADDOPTS")
        environment = {**{name: value for name, value in os.environ.items() if name not in unset}, **own}
        arguments = [str(self.bin / "clip-conformance"), *command]
        return subprocess.run(
            arguments, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=HANG_S, check=False
        )

    @property
    def cells(self) -> dict[str, dict[str, str]]:
        """The rows of their report.json by id."""
        rows = json.loads((self.folder / "report.json").read_text())["cells"]
        return {row["id"]: row for row in rows}
