"""`python -m suites.studies.drift`: the drift audit of one model; writes golden/evidence/drift-audit.json, .md and .svg."""

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from fixtures import INSTALLED
from fixtures.models import DEFAULT
from fixtures.progress import ProgressLine
from fixtures.storage.atomic import write_text
from plugins.command_line.options import GOLDEN, to_be_written
from plugins.command_line.program import Parser, code_of
from plugins.run import environment
from plugins.subjects import Subjects
from suites.studies.drift import evidence
from suites.studies.drift.audit import Step
from suites.studies.drift.sampling import subjects_of
from suites.studies.drift.sections import SECTIONS
from suites.studies.picture import written
from suites.studies.quiet import quiet

NAME = "drift-audit"
DEFAULTS = "clip-conformance drift" if INSTALLED else "make drift"  # the command for the default model


@quiet()
def main(arguments: list[str] | None = None) -> int:
    """0 when every planted defect is named, 1 when one is not, 4 for a model that cannot be loaded, 130 if interrupted."""
    parser = Parser(prog="python -m suites.studies.drift", description=__doc__)
    parser.add_argument("--model", default=DEFAULT, help="as pytest's option (default: %(default)s)")
    parser.add_argument("--pretrained", default="", help="as pytest's option: a tag, a checkpoint file, or random:SEED")
    parser.add_argument("--golden", type=Path, default=GOLDEN, help="as pytest's option; what is found goes there too")
    parser.add_argument("--redraw", action="store_true", help="measure nothing: page and plot of the evidence that is there")
    wanted = parser.parse_args(arguments)
    subjects = subjects_of(wanted.model, wanted.pretrained, wanted.golden)
    line = Bar()

    def study() -> int:
        target = to_be_written(wanted.golden) / "evidence" / f"{name_of(wanted.model, wanted.pretrained)}.json"
        if not wanted.redraw:
            write_text(target, evidence.text(measure(subjects, wanted.golden, line.step)))
        return show(json.loads(target.read_text(encoding="utf-8")), target)

    try:
        return code_of(study, "nothing was written")
    finally:
        line.finish()


class Bar:
    """A progress bar over the steps of the default run."""

    STEPS, WIDTH = sum(section.steps for section in SECTIONS), 20

    def __init__(self) -> None:
        self.line, self.done = ProgressLine(NAME), 0

    def step(self, text: str) -> None:
        """Advance by one step and show its name."""
        filled = min(self.WIDTH, self.done * self.WIDTH // self.STEPS)
        self.line.step(f"[{'#' * filled}{'.' * (self.WIDTH - filled)}] {text}")
        self.done += 1

    def finish(self) -> None:
        """End the line."""
        self.line.finish()


def name_of(model: str, pretrained: str) -> str:
    """The name of the evidence; the default model adds nothing to it."""
    if (model, pretrained) == (DEFAULT, ""):
        return NAME
    return "-".join([NAME, *(part.replace("/", "_").replace(":", "-") for part in (model, pretrained) if part)])


def command_of(model: str, pretrained: str) -> str:
    """The command that measures the evidence again."""
    more = [f"--model {model}" if model != DEFAULT else "", f"--pretrained {pretrained}" if pretrained else ""]
    return " ".join(["python -m suites.studies.drift", *filter(None, more)]) if any(more) else DEFAULTS


def measure(subjects: Subjects, golden: Path, step: Step) -> dict[str, Any]:
    """Measure all sections, with the commit, the date and the environment."""
    started, model = time.monotonic(), subjects.model
    found: dict[str, Any] = {
        "schema": 1,
        "command": command_of(model.name, model.pretrained),
        "commit": environment.commit(),
        "date": environment.now(),
        "environment": environment.fingerprint(),
        "model": {"name": model.name, "pretrained": model.pretrained, "weights_sha256": model.weights_sha256},
    }
    for section in SECTIONS:
        found = section.added(found, subjects, golden, step)
    return {**found, "seconds": time.monotonic() - started}


def show(found: dict[str, Any], target: Path) -> int:
    """Write the page and the plots; return 1 if a planted defect was not named."""
    head = f"# Drift audit of {found['model']['name']} {found['model']['pretrained']}".rstrip()
    about = f"`{found['command']}` took {found['seconds']:.0f} s on {found['environment']['cpu']}, {found['date'][:10]}, "
    parts = [head, f"{about}commit {found['commit']}."]
    for section in SECTIONS:
        part, picture = section.of(found), target.with_name("-".join(filter(None, (target.stem, section.key))) + ".svg")
        parts.append(f"# {section.title}")
        if "left_out" in part:
            parts.append(f"Left out: {part['left_out']}.")
            print(f"left out: {section.title}: {part['left_out']}")
        else:
            drawn = written(partial(section.svg, part), picture, "python -m suites.studies.drift --redraw")
            parts += [f"![{section.title}]({picture.name})"] * drawn + [section.markdown(part)]
    write_text(target.with_suffix(".md"), "\n\n".join(parts))
    missed = [row for row in found["planted"] if row["named"] != row["planted_in"]]
    for row in found["planted"]:
        verdict = "named" if row not in missed else f"MISSED (named {row['named']})"
        print(f"{verdict}: {row['defect']}, planted in {row['planted_in']}")
    print(f"written: {target.relative_to(target.parents[2])}, measured in {found['seconds']:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
