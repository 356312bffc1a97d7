"""The README and docs/ show what is true: promises are the suites' own, options and links exist, examples run as printed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures import ROOT
from plugins.corpus import __main__ as corpus
from suites.selftest.conftest import Run
from suites.selftest.patience import HANG_S

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
GITHUB = (ROOT / "action.yml", *sorted((ROOT / "docs" / "workflows").glob("*.yml")))
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def test_promises_are_the_docstrings(run: Run) -> None:
    """Each row that `pytest --promises` prints is in docs/promises.md, and no other promise is."""
    printed = [line for line in run("--promises").stdout.splitlines() if line.startswith("| ")]
    page = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8").splitlines()
    assert len(printed) > 15
    assert [line for line in page if re.match(r"\| [A-Z]\d+ \|", line)] == printed[1:]


def test_documented_options_exist(run: Run) -> None:
    """Every long option that a page, the action or a workflow to copy names is known to pytest."""
    known = run("--help").stdout + corpus.arguments().format_help()
    lines = [line for file in GITHUB for line in file.read_text(encoding="utf-8").splitlines()]
    commands = [line for line in lines if "arguments: -" in line or "clip-conformance audit --" in line]
    assert len(commands) > 2
    for option in set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", "\n".join([TEXT, *commands]))):
        assert option in known, option


def test_the_action_has_what_workflows_give_it() -> None:
    """All are YAML; a workflow gives the action only inputs that it has."""
    import yaml

    action, *workflows = (yaml.safe_load(file.read_text(encoding="utf-8")) for file in GITHUB)
    given = [
        step for w in workflows for job in w["jobs"].values() for step in job["steps"] if "@COMMIT" in step.get("uses", "")
    ]
    assert len(given) == 2 and all({*step["with"]} <= {*action["inputs"]} for step in given)
    used = set(re.findall(r"inputs\.([a-z-]+)", GITHUB[0].read_text(encoding="utf-8")))
    assert used == {*action["inputs"]}


def test_links_lead_somewhere() -> None:
    """Every link and picture that is no web address is a file of the repository."""
    missing = [
        f"{page.name}: {link}"
        for page in PAGES
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert missing == []


def test_the_readme_is_short() -> None:
    """What is not needed in the first minute belongs in docs/."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def examples() -> list[str]:
    """The commands of all fenced sh blocks, as printed."""
    blocks = re.findall(r"```sh\n(.+?)```", TEXT, re.DOTALL)
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


@pytest.mark.long
@pytest.mark.parametrize("example", examples())
def test_example_runs_as_printed(clone: Path, few: list[str], example: str) -> None:
    """In a shell, with the interpreter's own folder first on the path, on small data."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    own = {
        "PATH": path,
        "CLIP_CONFORMANCE_CACHE": str(ROOT / ".cache"),
        "PYTEST_ADDOPTS": " ".join([*few, "--latency-budget=0.5", "--allow-inconclusive"]),  # so little sees no slowdown
    }
    environment = {**os.environ, **own}
    result = subprocess.run(example, shell=True, cwd=clone, env=environment, capture_output=True, text=True, timeout=HANG_S)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-1000:]
