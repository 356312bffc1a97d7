"""`clip-conformance corpus` (`python -m plugins.corpus` in a clone): compares cells on your own images, however many."""

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from fixtures.errors import BadInput
from fixtures.models import DEFAULT as MODEL
from fixtures.storage.atomic import write_text
from fixtures.storage.locks import locked
from plugins.command_line.program import Parser, code_of
from plugins.corpus import engine as engines
from plugins.corpus.answer import answer as answer_of
from plugins.corpus.answer import good, lines
from plugins.corpus.page import page, pictures
from plugins.corpus.parts import compared
from plugins.corpus.plan import Plan, begin, key, round_off, subjects_of
from plugins.corpus.sources import source_of
from plugins.measures.corpus import distribution
from plugins.run import environment
from plugins.stored.parquet import StoredVectors
from plugins.subjects import Subjects


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = Parser(prog="clip-conformance corpus", description=__doc__)
    parser.add_argument("corpus", type=Path, help="a folder of images, or Parquet: id, and image (bytes) or path")
    parser.add_argument("--cells", required=True, help="BACKEND-PRECISION or a report's ids, comma-separated")
    parser.add_argument(
        "--out", type=Path, default=Path("corpus"), help="a folder of its own; a run goes on in it [%(default)s]"
    )
    text = "compare with vectors that are in an index: Parquet with id and vector; an id is a file's path in the folder"
    parser.add_argument("--stored", type=Path, metavar="FILE", help=text)
    parser.add_argument("--model", default=MODEL, help="as in a run of the suite [%(default)s]")
    parser.add_argument("--pretrained", default="", help="its tag, or a file of weights")
    text = "package.module:Class of your own, whose name --cells may use (repeatable)"
    parser.add_argument("--backend", action="append", default=[], metavar="SPEC", help=text)
    text = "processes on Ray, 0 for this one alone [as many as there is room for, if Ray is installed]"
    parser.add_argument("--workers", type=_number(0), help=text)
    parser.add_argument("--address", help="of a Ray cluster, as HOST:6379, or auto on one of its nodes [this machine]")
    parser.add_argument("--threads", type=_number(1), default=1, help="of a worker [%(default)s]")
    parser.add_argument("--batch", type=_number(1), default=1, help="images that a cell encodes in one call [%(default)s]")
    parser.add_argument(
        "--part", type=_number(1), default=256, help="images in a part, which is repeated if it is cut off [%(default)s]"
    )
    parser.add_argument("--queries", type=_number(1), default=1000, help="images whose answers are looked for [%(default)s]")
    return parser


def _number(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if (value := int(text)) < least:
            raise ValueError(text)
        return value

    return number


def main(typed: Sequence[str] | None = None) -> int:
    """0 if all cells' vectors may join the index, 1 if not, 4 for bad input."""
    asked = arguments().parse_args(typed)
    command = shlex.join(sys.argv[1:] if typed is None else typed)
    return code_of(lambda: _run(asked, command), "the same command goes on where it was")


def _run(asked: argparse.Namespace, command: str) -> int:
    distribution.available()
    if asked.address and asked.workers == 0:
        raise BadInput("--workers 0 is for this process alone, and --address names a cluster: expected one of them")
    source, subjects = source_of(asked.corpus.absolute()), subjects_of(*Subjects(asked.model, asked.pretrained).choice)
    plan = _plan(asked, subjects)
    cells = plan.cells()
    gpu = any(cell.encoder.device == "cuda" for cell in cells)
    engine = engines.chosen(asked.workers, asked.threads, asked.address, -(-len(source) // asked.part), gpu)
    print(f"{len(source)} images, {len(cells)} cells; {engine}{_alone(engine, asked)}", file=sys.stderr)
    plan = replace(plan, round_off=round_off(subjects))
    weights = subjects.model.weights_sha256
    try:
        asked.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--out {asked.out} cannot be a folder ({error.strerror}): name one that you may write to") from None
    with locked(asked.out / ".lock"):
        begin(asked.out, key(plan, source, asked.part, asked.queries, weights))
        with engine.running():
            total = compared(plan, source, asked.out, asked.part, asked.queries, engine)
        found = answer_of(total, len(source), plan.round_off)
        run = {
            "command": f"clip-conformance corpus {command}",
            "corpus": asked.corpus.name,
            "model": {"name": asked.model, "pretrained": asked.pretrained, "weights_sha256": weights},
            "reference": f"stored vectors of {asked.stored.name}" if asked.stored else "torch eager, fp32, CPU, batch 1",
            "engine": str(engine),
            "commit": environment.commit(),
            "environment": environment.fingerprint(),
        }
        write_text(asked.out / "corpus.json", json.dumps({"schema": 1, "run": run, "answer": found}, indent=1) + "\n")
        write_text(asked.out / "corpus.html", page(found, run, pictures(source, found)))
    print("\n".join(lines(found)))
    print(f"{asked.out / 'corpus.json'}; the worst images: {asked.out / 'corpus.html'}")
    return 0 if good(found, bool(asked.stored)) else 1


def _plan(asked: argparse.Namespace, subjects: Subjects) -> Plan:
    """All but the limit of round-off, which needs the model."""
    names = tuple(name.strip() for name in asked.cells.split(",") if name.strip())
    stored = StoredVectors.of(asked.stored.absolute()).path if asked.stored else None
    return Plan(*subjects.choice, tuple(asked.backend), names, stored, asked.batch, asked.threads, round_off=0.0)


def _alone(engine: engines.Engine, asked: argparse.Namespace) -> str:
    hint = engine.workers == 0 and asked.workers is None and find_spec("ray") is None
    return f" (Ray is not installed: {engines.INSTALL} for all cores)" if hint else ""


if __name__ == "__main__":
    sys.exit(main())
