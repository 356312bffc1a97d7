"""`python -m suites.studies.proof` (make proof): clean and killed runs and more; writes golden/evidence/proof.*."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.progress import ProgressLine
from fixtures.storage.cache import ROOT as CACHE
from fixtures.storage.lines import Lines
from plugins.command_line.program import Parser
from plugins.run import environment
from suites.studies import evidence
from suites.studies.proof import clean, examples, kills, page, seeds, soaks

TARGET = ROOT / "golden" / "evidence" / "proof.json"
PARTS = ("clean", "kills", "examples", "soak", "seeds")


def options(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m suites.studies.proof", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--runs", type=int, default=100, help="clean runs (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=50, help="runs to kill (default: %(default)s)")
    parser.add_argument("--soak", type=float, default=30.0, help="seconds of calls of each tower (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=200, help="of fresh inputs for each encoder (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of conditions, moments and calls (default: %(default)s)")
    found = parser.parse_args(arguments)
    for part in found.parts:
        if part not in PARTS:
            parser.error(f"found part '{part}', expected some of {', '.join(PARTS)}")
    return found


def counted(what: str, of: int) -> Callable[[Any], Any]:
    """A function that shows progress and gives back what it is given."""
    line, done = ProgressLine(what), iter(range(1, of + 1))

    def told(one: Any) -> Any:
        line.step(f"{next(done, of)} of {of}")
        return one

    return told


def main(arguments: list[str] | None = None) -> int:
    """0 if all of it is as it must be, 1 if not; parts that were not asked for stay in the file as they are."""
    wanted = options(arguments)
    found: dict[str, Any] = json.loads(TARGET.read_text(encoding="utf-8")) if TARGET.exists() else {}
    for part in wanted.parts or PARTS:
        found[part] = {**_measured(part, wanted), **evidence.stamp()}
        evidence.write(TARGET, found, page.markdown(found))
    print(page.markdown(found))
    return 1 if any(page.problems(found)) else 0


def _measured(part: str, wanted: argparse.Namespace) -> dict[str, Any]:
    if part == "clean":
        plan = clean.plan(wanted.runs, wanted.seed, clean.installed())
        kept = Lines(CACHE / "proof" / f"clean-{environment.commit()}-seed{wanted.seed}.jsonl")
        command = f"make proof ARGS='clean --runs {wanted.runs}'"
        return {"command": command, "runs": clean.runs(plan, kept, counted("clean runs", len(plan)))}
    if part == "kills":
        with tempfile.TemporaryDirectory(prefix="clip-conformance-") as folder:
            told = counted("killed runs", wanted.kills + 2 * len(kills.WRITERS))
            return {
                "command": f"make proof ARGS='kills --kills {wanted.kills}'",
                **kills.campaign(Path(folder), wanted.kills, wanted.seed, told),
            }
    if part == "soak":
        command = f"make proof ARGS='soak --soak {wanted.soak:g}'"
        return {"command": command, **soaks.figures(wanted.soak, wanted.seed)}
    if part == "seeds":
        encoders = clean.installed()
        told = counted(f"encoders and towers, {wanted.seeds} seeds each", 2 * len(encoders))
        kept = Lines(CACHE / "proof" / f"seeds-{environment.commit()}-{wanted.seed}-{wanted.seeds}.jsonl")
        rows = seeds.figures(encoders, range(wanted.seed, wanted.seed + wanted.seeds), kept, told)
        return {"command": f"make proof ARGS='seeds --seeds {wanted.seeds}'", "seeds": wanted.seeds, "rows": rows}
    return {"command": "make proof ARGS=examples", **examples.counts(wanted.seed)}


if __name__ == "__main__":
    sys.exit(main())
