"""`python -m suites.studies.families` (make families): the families that people moved to, through torch and onnxruntime.

Each member runs in a process of its own, smallest first, with random weights: its vectors in every cell beside torch eager
fp32's, its time for one image and one text, and its contract beside its family's own code. When it is interrupted, the same
command goes on where it was.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.progress import say
from fixtures.registry import pick
from fixtures.storage.cache import ROOT as CACHE
from fixtures.storage.lines import Lines
from plugins.command_line.program import Parser, code_of
from plugins.run import environment
from suites.studies import evidence
from suites.studies.families import page
from suites.studies.families.members import MEMBERS

TARGET = ROOT / "golden" / "evidence" / "families.json"


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Of the measurement."""
    parser = Parser(prog="python -m suites.studies.families", description=__doc__)
    parser.add_argument("--only", default="", help="names of members, comma-separated (default: all)")
    parser.add_argument("--evidence", action="store_true", help="write golden/evidence/families.json and .md")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything is measured, 1 if a cell or a member failed, 4 for an unknown name."""
    wanted = options(arguments)
    return code_of(lambda: _study(wanted), "the same command goes on where it was")


def _study(wanted: argparse.Namespace) -> int:
    chosen = pick("member", [name for name in wanted.only.split(",") if name], [member.name for member in MEMBERS])
    kept = Lines(CACHE / "families" / f"{environment.commit()}.jsonl")
    failed = [name for number, name in enumerate(chosen, 1) if not _measured(name, kept, f"{number} of {len(chosen)}")]
    found: dict[str, Any] = {
        "schema": 1,
        "command": "make families ARGS=--evidence",
        **evidence.stamp(),
        "members": page.members(kept.read(), chosen),
    }
    text = page.markdown(found)
    print(text)
    if wanted.evidence:
        evidence.write(TARGET, found, text)
        kept.path.unlink(missing_ok=True)
    return int(bool(failed))


def run(name: str, file: Path) -> int:
    """The exit code of one member's process, with a cache of its own, whose exports may take gigabytes."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="families-", dir=CACHE) as cache:
        command = [sys.executable, "-m", "suites.studies.families.member", name, str(file)]
        return subprocess.run(command, cwd=ROOT, env={**os.environ, "CLIP_CONFORMANCE_CACHE": cache}).returncode


def _measured(name: str, kept: Lines, place: str) -> bool:
    """Run one member to its end; a killed one leaves a line that says so."""
    say(f"{place}: {name}")
    code = run(name, kept.path)
    if code not in (0, 1):
        kept.append({"name": name, "what": f"ended with code {code}"})
    return code == 0


if __name__ == "__main__":
    sys.exit(main())
