"""`clip-conformance`: the installed suite's commands. Arguments after a command go to pytest, or to the study, unchanged."""

import argparse
import runpy
import sys
from collections.abc import Sequence

import pytest

from fixtures import ROOT
from plugins.command_line.program import Parser

COMMANDS = {"audit": (), "environment": ("--environment",), "promises": ("--promises",), "golden": ("--update-golden",)}
STUDIES = {
    "drift": "suites.studies.drift",
    "diff": "plugins.report.difference",
    "canary": "plugins.canary",
    "corpus": "plugins.corpus",
}
HELP = "COMMAND --help shows its options; `audit suites/embeddings` runs one suite, `audit -k WORD` selected tests"


def main() -> int:
    """Return the exit code of pytest, or of the study or the tool."""
    parser = Parser(prog="clip-conformance", description=__doc__, epilog=HELP)
    parser.add_argument("command", choices=(*COMMANDS, *STUDIES))
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="options of pytest and of this suite, and paths")
    typed = parser.parse_args()
    if typed.command in STUDIES:
        sys.argv[1:] = typed.arguments
        runpy.run_module(STUDIES[typed.command], run_name="__main__")
    return int(pytest.main([*COMMANDS[typed.command], *for_pytest(typed.arguments)]))


def for_pytest(typed: Sequence[str]) -> list[str]:
    """pytest's arguments for the suite's own tests and settings, from any folder: all tests, or the named ones.

    Tests are named as in a report: suites/FOLDER/FILE.py::TEST.
    """
    own = [_is_ours(argument) for argument in typed]
    arguments = [str(ROOT / argument) if ours else argument for argument, ours in zip(typed, own, strict=True)]
    return ["-c", str(ROOT / "pyproject.toml"), *([] if any(own) else [str(ROOT)]), *arguments]


def _is_ours(argument: str) -> bool:
    file, _, _ = argument.partition("::")
    return file.startswith("suites/") and (ROOT / file).exists()
