"""`python -m suites.studies.preprocessors` (make preprocessors): other libraries' decoders and resizers.

Writes golden/evidence/preprocessors.json and .md. A package that is missing costs its own rows, with the command.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fixtures import ROOT
from plugins.command_line.program import Parser, code_of
from suites.studies import evidence
from suites.studies.preprocessors import page
from suites.studies.preprocessors.run import Sizes, run

TARGET = ROOT / "golden" / "evidence" / "preprocessors.json"
FULL, QUICK = Sizes(scenes=650, photographs=24, pairs=40), Sizes(scenes=40, photographs=2, pairs=12)


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Of the measurement."""
    parser = Parser(prog="python -m suites.studies.preprocessors", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK.scenes} scenes and {QUICK.photographs} photographs")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything that is installed is measured, 4 for bad input."""
    wanted = options(arguments)
    return code_of(lambda: _study(wanted.quick), "nothing was written")


def _study(quick: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as folder:
        found = {
            "schema": 1,
            "command": f"make preprocessors{' ARGS=--quick' if quick else ''}",
            **evidence.stamp(),
            **run(QUICK if quick else FULL, Path(folder)),
        }
    text = page.markdown(found)
    print(text)
    evidence.write(TARGET, found, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
