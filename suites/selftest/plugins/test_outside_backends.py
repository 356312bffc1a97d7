"""docs/your-backend.md, run as printed against a small server: other people's backends need no file here."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures import ROOT
from suites.selftest.planted.outside import BY_NAME, ENTRY_POINT, EXAMPLE, HOOK, PYTHON, Outside, serving

CELL = "scenes-s-http-fp32-original_clip-cpu"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server of the default model."""
    with serving() as url:
        yield url


@pytest.fixture
def outside(tmp_path: Path, few: list[str], server: str) -> Outside:
    """See Outside."""
    return Outside(tmp_path, few, server)


def test_by_name(outside: Outside) -> None:
    """`--backend module:Class` from its folder keeps every promise."""
    result = outside.type(BY_NAME)
    assert result.returncode == 0, result.stdout[-3000:]
    assert outside.verdicts == {CELL: "pass"}
    passed = re.search(r"(\d+) passed", result.stdout)
    assert passed and int(passed[1]) >= 17  # eight promises of two towers, and one of the cell


def test_by_entry_point(outside: Outside) -> None:
    """An installed entry point, declared as the page declares it."""
    declaration, command = ENTRY_POINT.split("\n\n")
    outside.entry_points(*declaration.replace('"', "").splitlines()[1:])
    outside.options[-1] = "test_cell"
    result = outside.type(command, forks=True)
    assert result.returncode == 0, result.stdout[-3000:]
    assert outside.verdicts == {CELL: "pass"}


def test_by_hook(outside: Outside) -> None:
    """A hook in a conftest.py outside this repository."""
    code, command = HOOK.rsplit("\n\n", 1)
    outside.write("conftest.py", code)
    outside.options[-1] = "test_cell"
    result = outside.type(command, forks=True)
    assert result.returncode == 0, result.stdout[-3000:]
    assert outside.verdicts == {CELL: "pass"}


def test_by_hook_around_the_clone(outside: Outside) -> None:
    """The same where this repository lies inside the other, whose pytest settings, conftest.py and packages are not ours."""
    (outside.folder / "clip").symlink_to(ROOT)
    outside.write("pyproject.toml", "[tool.pytest.ini_options]\ntestpaths = ['nowhere']\n")
    outside.write("plugins/__init__.py", "")
    code, command = HOOK.rsplit("\n\n", 1)
    outside.write("conftest.py", code)
    result = outside.type(command.replace(" $CLIP", " clip") + " --collect-only -q")
    assert result.returncode == 0, result.stdout[-3000:]
    assert result.stdout.count(f"[{CELL}]") == 1


def test_preprocessor(outside: Outside) -> None:
    """A preprocessor of somebody else's is judged like ours: this one has the right form and swaps colours."""
    mine = """
        import numpy as np
        from fixtures.preprocessors.original_clip import OriginalClip

        class Mine(OriginalClip):
            name = "mine"

            def transform(self, decoded, size):
                return np.ascontiguousarray(super().transform(decoded, size)[::-1])
    """
    outside.write("swapped.py", textwrap.dedent(mine))
    outside.options[-1] = "'mine and (test_form or test_opaque)'"
    result = outside.type(f"{PYTHON} -m pytest $CLIP/suites/preprocessing --preprocessor swapped:Mine", forks=True)
    assert "1 failed, 1 passed" in result.stdout, result.stdout[-3000:]
    assert "P3 broken" in result.stdout


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory, few: list[str], server: str) -> tuple[Outside, str]:
    """One run over six backends of somebody else's that each have a fault; the folder, and what it printed."""
    outside = Outside(tmp_path_factory.mktemp("faulty"), few, server)
    for fault in ("wrong", "unsteady", "quiet", "crashing", "down"):
        url = {"down": "http://127.0.0.1:9", "quiet": f"{server}/good"}.get(fault, f"{server}/{fault}")
        code = EXAMPLE.replace("http://localhost:8000", url).replace("HTTP_ENCODER", "ANOTHER").replace('"http"', f'"{fault}"')
        outside.write(f"{fault}.py", code.replace("= {}  # {", "= {") if fault in ("unsteady", "quiet") else code)
    outside.entry_points("gone = no_such_module:Gone", "late = down:HttpBackend")
    outside.options[-1] = "'test_repeat or test_cell'"
    named = "wrong:HttpBackend,unsteady:HttpBackend,quiet:HttpBackend,crashing:HttpBackend,late,gone"
    result = outside.type(BY_NAME.replace("http_encoder:HttpBackend", named), forks=True)
    assert result.returncode == 1, result.stdout[-3000:]
    return outside, result.stdout


@pytest.mark.parametrize(
    ("name", "verdict", "reason"),
    [
        ("wrong", "fail", "C1 broken"),
        ("unsteady", "expected-failure", "upstream: batches by load"),  # the page's own example of a known failure
        ("quiet", "pass", "2 xpassed"),  # and the same on a server whose bits happen not to vary
        ("crashing", "fail", "could not be built: HTTPError: HTTP Error 500"),  # it answers: no reason to skip
        ("down", "skipped", "start it, or set ANOTHER"),  # an entry point may have another name than its backend
        ("gone", "skipped", "entry point gone = no_such_module:Gone: no module 'no_such_module'"),
    ],
)
def test_faults(faulty: tuple[Outside, str], name: str, verdict: str, reason: str) -> None:
    """Each fault costs its own row, with its own verdict and reason."""
    outside, printed = faulty
    assert outside.verdicts[CELL.replace("http", name)] == verdict
    assert reason in printed
    assert len(outside.verdicts) == 6


def test_the_command_that_shows_it_again(faulty: tuple[Outside, str]) -> None:
    """It names the backend's module, and works in the folder where the first command was typed."""
    outside, printed = faulty
    command = next(c for c in re.findall(r"again: pytest (.*)", printed) if "scenes-s-wrong-" in c)
    assert command.endswith("--backend=wrong:HttpBackend")
    again = outside.type(f"{PYTHON} -m pytest --collect-only -q {command}")
    assert again.stdout.count("::test_end_to_end[") == 1, again.stdout
