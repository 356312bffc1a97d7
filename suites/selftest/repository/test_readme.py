"""The README shows what is true: its list of promises is the suites' own, its options exist, its examples run as printed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures import ROOT
from suites.selftest.conftest import Run
from suites.selftest.patience import HANG_S

README = ROOT / "README.md"


def test_promises_are_the_docstrings(run: Run) -> None:
    """Each row that `pytest --promises` prints stands in the README, and no other promise does."""
    printed = [line for line in run("--promises").stdout.splitlines() if line.startswith("| ")]
    readme = README.read_text(encoding="utf-8").splitlines()
    assert len(printed) > 15
    assert [line for line in readme if re.match(r"\| [A-Z]\d+ \|", line)] == printed[1:]


def test_documented_options_exist(run: Run) -> None:
    """Every long option that the README names is known to pytest."""
    known = run("--help").stdout
    for option in set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", README.read_text(encoding="utf-8"))):
        assert option in known, option


def examples() -> list[str]:
    """The commands of the README's fenced sh blocks, as printed."""
    blocks = re.findall(r"```sh\n(.+?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files under version control and new ones, elsewhere, so that examples leave no trace here."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def test_there_are_examples() -> None:
    """At least six, or the test below proves nothing."""
    assert len(examples()) >= 6


@pytest.mark.parametrize("example", examples())
def test_example_runs_as_printed(clone: Path, few: list[str], example: str) -> None:
    """In a shell, with the interpreter's own folder first on the path, on small data."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    own = {
        "PATH": path,
        "CLIP_CONFORMANCE_CACHE": str(ROOT / ".cache"),
        "PYTEST_ADDOPTS": " ".join([*few, "--latency-budget=0.5"]),
    }
    environment = {**os.environ, **own}
    result = subprocess.run(example, shell=True, cwd=clone, env=environment, capture_output=True, text=True, timeout=HANG_S)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-1000:]
