"""`python -m suites.studies.processors` (make processors): the CPU matrix on every kind of processor that can be had or played.

Writes golden/evidence/processors.json and .md after each backend. When it is interrupted, the same command goes on where it
was; rows of other machines stay. How long it takes depends on how much has to be emulated: about 7 hours on 2 cores, 5 of
them of emulated processors.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from fixtures.errors import BadInput
from fixtures.machine.devices import processor
from fixtures.progress import ProgressLine, say
from fixtures.registry import backends
from plugins.command_line.program import Parser, code_of
from plugins.run import environment
from suites.studies.processors import emulated, evidence, page, runs, selection
from suites.studies.processors.kinds import Kind, column, kinds, numpy_features
from suites.studies.proof.clean import installed


def options(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="python -m suites.studies.processors", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="processors whose name contains it, such as AVX2 or Haswell")
    parser.add_argument("--backend", default="", metavar="NAMES", help="only these backends, comma-separated")
    parser.add_argument("--list", action="store_true", help="print what would be run, and what is done already")
    return parser.parse_args(arguments)


def real_machine() -> dict[str, Any]:
    """This machine's fingerprint, without variables forced on this process, which inner runs do not inherit."""
    found = dict(environment.fingerprint())
    found.pop("forced", None)
    return found


def plan(every: list[Kind], here: list[str], only: str, wanted: str) -> list[tuple[Kind, str]]:
    """Each kind of processor with each backend that it can test."""
    chosen = [name for name in here if not wanted or name in wanted.split(",")]
    return [(kind, name) for kind in every if only in kind.name for name in chosen if kind.covers(name)]


def main(arguments: list[str] | None = None) -> int:
    """0 if no encoder breaks what it does not declare on any of the processors, 1 if one does, 4 for bad input."""
    wanted = options(arguments)
    return code_of(lambda: _study(wanted), "the same command goes on where it was")


def _study(wanted: argparse.Namespace) -> int:
    machine, commit = real_machine(), environment.commit()
    here = list(dict.fromkeys([*(name for name, _ in installed()), *(n for n, b in backends().items() if b.nowhere())]))
    work = plan(kinds(processor("flags"), numpy_features()), here, wanted.only, wanted.backend)
    if not work:
        raise BadInput(f"no processor is called '{wanted.only}', or none plays for '{wanted.backend}': see --list")
    found, line = evidence.read(), ProgressLine("processors")
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as folder:
        chosen = selection.Selections(Path(folder))
        for number, (kind, backend) in enumerate(work):
            name = column(kind, machine)
            state = f"{number} of {len(work)}: {backend} on {name}"
            ready = evidence.done(found, name, backend, commit, kind.selection)
            if wanted.list:
                print(f"{state}{', done' if ready else ''}")
            elif not ready:
                line.step(state)
                found = evidence.add(*_measured(kind, name, backend, chosen, commit))
                own = [row for row in found["rows"] if (row["processor"], row["backend"]) == (name, backend)]
                say(f"{state}: " + ", ".join(f"{row['encoder']} {row['verdict']}" for row in own))
    line.finish()
    if wanted.list:
        return 0
    print(page.markdown(found))
    return 1 if any(row["verdict"] == "fail" for row in found["rows"]) else 0


def _measured(
    kind: Kind, name: str, backend: str, chosen: selection.Selections, commit: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    reason = emulated.missing(kind) if kind.how == "emulated" else ""
    rows = [runs.told(backend, reason)] if reason else runs.run(kind, backend, chosen.options(kind.selection))
    about: dict[str, Any] = {"how": kind.how, "selection": kind.selection, "data": chosen.words(kind.selection)}
    about |= {"forced": dict(kind.variables)} if kind.variables else {}
    about |= next(({"environment": row.pop("environment")} for row in rows if "environment" in row), {})
    for row in rows:
        row.pop("environment", None)
    return runs.stamped([{**row, "backend": backend} for row in rows], name, kind.selection, commit), about


if __name__ == "__main__":
    sys.exit(main())
