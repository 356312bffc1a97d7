"""Builds the wheel: hatchling calls this. The repository's rooms and their names become one package, `clip_conformance`."""

import ast
import re
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "clip_conformance"
ROOMS = ("fixtures", "plugins", "suites")
# A module's name, wherever it stands: in an import, a string, a comment. `x.plugins` and `golden/fixtures.md` are none.
DOTTED = re.compile(rf"(?<![\w./$-])({'|'.join(ROOMS)})\.(\w+)")
FROM_ROOM = re.compile(rf"^(\s*from )({'|'.join(ROOMS)})(?= import )", re.MULTILINE)
# It would make the rooms importable by their own names.
PATH = re.compile(r"^pythonpath = .*\n", re.MULTILINE)


class Rooms(BuildHookInterface):
    """Hands hatchling a folder that holds the package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the package; raises ValueError for an editable one."""
        if version == "editable":
            raise ValueError("an editable install would have two names for each module: work in the clone, with `make setup`")
        self.written = tempfile.TemporaryDirectory(prefix="clip-wheel-")
        write_package(Path(self.root), Path(self.written.name))
        build_data["force_include"][self.written.name] = NAME

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the folder."""
        self.written.cleanup()


def write_package(root: Path, target: Path) -> None:
    """What the installed suite consists of; raises ValueError when a module would still be imported by its old name."""
    (target / "__init__.py").write_text('"""Accuracy and latency conformance suite for CLIP embedding backends."""\n')
    files = [path for room in (*ROOMS, "golden") for path in sorted((root / room).rglob("*")) if path.is_file()]
    for path in (root / "conftest.py", *files):
        place = path.relative_to(root)
        if is_shipped(place):
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            content = path.read_bytes()
            (target / place).write_bytes(renamed(content.decode(), root, place).encode() if path.suffix == ".py" else content)
    for room in ROOMS:  # with importlib's way of importing, pytest calls a test module by the packages that it lies in
        for folder in {path.parent for path in (target / room).rglob("*.py")} | {target / room}:
            (folder / "__init__.py").touch()
    settings, found = PATH.subn("", (root / "pyproject.toml").read_text(encoding="utf-8"))
    if found != 1:
        raise ValueError(f"pyproject.toml has {found} lines `pythonpath = ...`, expected one")
    (target / "pyproject.toml").write_text(settings, encoding="utf-8")


def is_shipped(place: Path) -> bool:
    """False for what checks or proves the repository itself, and for what git ignores."""
    if any(part.startswith(".") or part == "__pycache__" for part in place.parts):
        return False
    if place.parts[:2] in (("suites", "selftest"), ("golden", "evidence")):
        return False
    return place.parts[:2] != ("suites", "studies") or len(place.parts) == 3 or place.parts[2] == "drift"


def renamed(text: str, root: Path, place: Path) -> str:
    """A module's text with the new name of every module that it names."""

    def name(match: re.Match[str]) -> str:
        there = root / match[1] / match[2]
        return f"{NAME}.{match[0]}" if there.is_dir() or there.with_suffix(".py").is_file() else match[0]

    text = FROM_ROOM.sub(rf"\1{NAME}.\2", DOTTED.sub(name, text))
    for node in ast.walk(ast.parse(text)):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        left = [module for module in modules if module.split(".")[0] in ROOMS]
        if left:
            raise ValueError(f"{place} would import {left[0]} by the name that it has in the repository alone")
    return text
