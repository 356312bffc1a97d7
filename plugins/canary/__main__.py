"""`clip-conformance canary` (`python -m plugins.canary` in a clone): writes a kit that a service checks itself with."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fixtures import ROOT
from fixtures.datasets import DEFAULT as DATASET
from fixtures.errors import BadInput, nearest
from fixtures.models import DEFAULT as MODEL
from fixtures.registry import preprocessors
from fixtures.truth import PRECISIONS, REFERENCE
from plugins.canary.kit import write
from plugins.command_line.program import Parser, code_of
from plugins.golden.verified import NoBudget, load_golden
from plugins.subjects import Subjects


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if the kit is written, 4 for bad input."""
    parser = Parser(prog="clip-conformance canary", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("canary"), help="a new folder [%(default)s]")
    parser.add_argument("--model", default=MODEL, help="of open_clip [%(default)s]")
    parser.add_argument("--pretrained", default="", help="its tag, or a file of weights")
    parser.add_argument("--dataset", type=Path, default=DATASET, help="folder with images/ and captions.jsonl")
    parser.add_argument("--golden", type=Path, default=ROOT / "golden", help="folder of golden data")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help="that the service runs in [%(default)s]")
    parser.add_argument("--preprocessor", default=REFERENCE, help="that the service uses [%(default)s]")
    asked = parser.parse_args(arguments)
    return code_of(lambda: _written(asked), "nothing was written", NoBudget)


def _written(asked: argparse.Namespace) -> int:
    if asked.preprocessor not in preprocessors():
        raise BadInput(f"unknown preprocessor '{asked.preprocessor}': {nearest(asked.preprocessor, preprocessors())}")
    subjects = Subjects(asked.model, asked.pretrained, asked.dataset, asked.golden)
    size = write(subjects, load_golden(subjects), asked.precision, asked.preprocessor, asked.out)
    print(f"{asked.out}: {size / 1000:.0f} KB; its canary.py says at its top how a service calls it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
