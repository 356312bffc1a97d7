"""Prints what tables of pyproject.toml ask for, one requirement a line: `dependencies`, extras or groups by name."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
tables = {
    "dependencies": project["project"]["dependencies"],
    **project["project"]["optional-dependencies"],
    **project["dependency-groups"],
}
for name in sys.argv[1:]:
    print("\n".join(tables[name]))
