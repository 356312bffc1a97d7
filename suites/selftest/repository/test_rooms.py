"""A room uses only rooms below it: docs/architecture.md has the picture."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from fixtures import ROOT
from suites.selftest.patience import HANG_S

# From the ground up. A module belongs to the longest name that its own begins with.
ROOMS = (
    "fixtures",
    "plugins.measures.vectors",
    "plugins.measures.latency",
    "plugins.measures.drift",
    "plugins.measures",
    "plugins",
    "suites.studies",
    "suites",
    "suites.selftest",
)
WITHOUT_PYTEST = ("fixtures", "plugins.measures")
LONGEST, MEDIAN = 350, 120  # lines of a file


def sources() -> list[Path]:
    """Every Python file of the rooms."""
    return [path for room in ("fixtures", "plugins", "suites") for path in sorted((ROOT / room).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    """Modules that a file imports, within functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from plugins import x` may mean a module of another room than `plugins` itself.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> int:
    """The place of a module's room in ROOMS; -1 for a library."""
    known = [name for name in ROOMS if f"{module}.".startswith(f"{name}.")]
    return ROOMS.index(max(known, key=len)) if known else -1


def upward(files: list[Path], root: Path) -> list[str]:
    """Imports of a room above the file's own."""
    found = []
    for path in files:
        own = room(".".join(path.relative_to(root).with_suffix("").parts))
        found += [f"{path.relative_to(root)} imports {name}" for name in imports(path) if room(name) > own]
    return found


def test_rooms_use_only_rooms_below() -> None:
    """Whatever the reason: an import for types alone counts too."""
    assert len(sources()) > 300
    assert upward(sources(), ROOT) == []


def borrowed(files: list[Path], root: Path) -> list[str]:
    """Imports of a test's module: what two tests share lies in a module of its own."""
    found = ((path, name) for path in files for name in imports(path))
    return [
        f"{path.relative_to(root)} imports {name}"
        for path, name in found
        if name.startswith("suites.") and any(part.startswith("test_") for part in name.split("."))
    ]


def test_tests_import_no_other_test(tmp_path: Path) -> None:
    """None does, and one that would is found."""
    assert borrowed(sources(), ROOT) == []
    planted = tmp_path / "suites" / "x.py"
    planted.parent.mkdir()
    planted.write_text("from suites.selftest.plugins.test_limit import start\n")
    assert len(borrowed([planted], tmp_path)) == 1


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("fixtures/machine/x.py", "from plugins.cells.matrix import selection"),
        ("plugins/measures/latency/x.py", "from plugins import subjects"),
        ("plugins/measures/vectors/x.py", "from plugins.measures.latency.paired import pair"),
        ("plugins/report/x.py", "import suites.studies.picture"),
    ],
)
def test_an_import_upward_is_found(tmp_path: Path, file: str, line: str) -> None:
    """Within a function, and by whatever form of import."""
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    planted.write_text(f"def late() -> None:\n    {line}\n")
    assert len(upward([planted], tmp_path)) == 1


def test_numbers_need_no_pytest() -> None:
    """What is under test, and what is measured of it, can be used by a program that is no pytest run."""
    wanting = [
        str(path.relative_to(ROOT))
        for path in sources()
        if ".".join(path.relative_to(ROOT).parts).startswith(WITHOUT_PYTEST)
        and any(name.split(".")[0] in ("pytest", "_pytest") for name in imports(path))
    ]
    assert wanting == []


@pytest.mark.parametrize(
    "module", ["plugins.subjects", "plugins.golden.verified", "suites.studies.drift.ranking", "suites.studies.storage.forms"]
)
def test_a_program_needs_no_pytest(module: str) -> None:
    """What is under test, golden data and what a study measures of them: not even by what they import."""
    probe = f"import sys, {module}; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], cwd=ROOT, timeout=HANG_S).returncode == 0


def test_files_are_small() -> None:
    """So that each can be read at once."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert [str(path) for path, count in lines.items() if count > LONGEST] == []
    assert median(lines.values()) < MEDIAN
