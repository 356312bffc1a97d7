"""`python -m suites.studies.policies` (make policies): our precision policies beside those of other tools.

When it is interrupted, the same command goes on where it was. Models that a run leaves out keep their figures.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from fixtures import ROOT
from fixtures.capability import TOWERS
from fixtures.models import DEFAULT, model_id
from fixtures.progress import ProgressLine
from fixtures.storage.cache import ROOT as CACHE
from fixtures.storage.lines import Lines
from plugins.command_line.program import Parser, code_of
from suites.studies import evidence
from suites.studies.drift.sampling import subjects_of
from suites.studies.policies import page
from suites.studies.policies.runs import Place, Run
from suites.studies.policies.tools import require_tools, versions
from suites.studies.quiet import quiet

TARGET = ROOT / "golden" / "evidence" / "policies.json"
MODELS = ((DEFAULT, ""), ("ViT-B-32", "random:0"), ("ViT-L-14", "random:0"))
LIMIT_S = 900.0


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Of the study."""
    parser = Parser(prog="python -m suites.studies.policies", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the default model alone")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds of one tool's search (default: %(default).0f)")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--again", action="store_true", help="search anew what is known from earlier runs")
    again.add_argument("--times", action="store_true", help="search nothing: time again what earlier runs converted")
    return parser.parse_args(arguments)


@quiet()
def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything is measured or has its reason, 4 for bad input; whether ours is as good is for the page to say."""
    wanted = options(arguments)
    return code_of(lambda: _study(wanted), "the same command goes on where it was")


def _study(wanted: argparse.Namespace) -> int:
    journal = Lines(CACHE / "policies" / "rows.jsonl")
    if wanted.again:
        journal.path.unlink(missing_ok=True)
    require_tools()
    for model, pretrained in MODELS[: 1 if wanted.quick else None]:
        found = measured(model, pretrained, journal, wanted.limit, again=wanted.times)
        whole = merged(found, wanted.limit)
        evidence.write(TARGET, whole, page.markdown(whole))
        print(page.summary(found))
    print(f"written: {TARGET.relative_to(ROOT)}")
    return 0


def measured(model: str, pretrained: str, journal: Lines, limit_s: float, again: bool) -> dict[str, Any]:
    """Both towers of a model; `again` times the files of known rows."""
    name = model_id(model, pretrained)
    line = ProgressLine(f"policies of {name}")
    subjects = subjects_of(model, pretrained, ROOT / "golden")
    towers = []
    for tower in TOWERS:
        run = Run(subjects, tower, Place(journal, CACHE / "policies" / name, limit_s, line.step))
        towers.append(run.timed(run.measured()) if again else run.measured())
    line.finish()
    return {"model": name, "parameters": subjects.model.parameters, "towers": towers, **evidence.stamp()}


def merged(found: dict[str, Any], limit_s: float) -> dict[str, Any]:
    """The evidence that is there with one model's part replaced."""
    known = json.loads(TARGET.read_text(encoding="utf-8"))["models"] if TARGET.exists() else []
    parts = {part["model"]: part for part in (*known, found)}
    order = [model_id(*each) for each in MODELS]
    return {
        "schema": 1,
        "command": "make policies",
        "versions": versions(),
        "limit_s": limit_s,
        "models": [parts[name] for name in order if name in parts],
        "missing": [name for name in order if name not in parts],
    }


if __name__ == "__main__":
    sys.exit(main())
