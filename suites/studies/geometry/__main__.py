"""`python -m suites.studies.geometry` (make geometry): how vectors lie, beside real CLIP's, and large activations."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.capability import Tower
from fixtures.cells import Cell, EncoderKey
from fixtures.datasets import DEFAULT as DEFAULT_DATASET
from fixtures.errors import BadInput, Unavailable
from fixtures.models import DEFAULT, Model, model_id
from fixtures.progress import ProgressLine
from fixtures.truth import LARGE, REFERENCE
from plugins.cells.given_back import BuildFailed, CannotRun
from plugins.command_line.program import Parser, code_of
from plugins.measures.drift.layers.massive import Block, massive
from plugins.measures.vectors.geometry import across, cone
from plugins.subjects import Subjects
from suites.studies import evidence
from suites.studies.drift.sampling import sample
from suites.studies.geometry import page
from suites.studies.quiet import quiet

EVIDENCE = ROOT / "golden" / "evidence"
FEWEST = 3  # vectors that have a second neighbour


@quiet()
def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything is measured or has its reason, 4 for bad input."""
    parser = Parser(prog="python -m suites.studies.geometry", description=__doc__)
    parser.add_argument("--model", default=DEFAULT, help="as pytest's option (default: %(default)s)")
    parser.add_argument("--pretrained", default="", help="as pytest's option: a tag, a checkpoint file, or random:SEED")
    parser.add_argument("--dataset", type=Path, default=DEFAULT_DATASET, help="as pytest's option")
    parser.add_argument("--evidence", type=Path, default=EVIDENCE, help="folder of the figures (default: golden/evidence)")
    wanted = parser.parse_args(arguments)
    return code_of(lambda: _study(wanted), "nothing was written", BuildFailed, CannotRun)


def _study(wanted: argparse.Namespace) -> int:
    found = measure(Subjects(wanted.model, wanted.pretrained, wanted.dataset))
    target = wanted.evidence / f"{name_of(wanted.model, wanted.pretrained, wanted.dataset)}.json"
    shown = page.markdown(found)
    evidence.write(target, found, shown)
    print(shown)
    print(f"written: {target}")
    return 0


def name_of(model: str, pretrained: str, dataset: Path) -> str:
    """The name of the evidence; the default model and data set add nothing to it."""
    parts = ["geometry"]
    parts += [model_id(model, pretrained)] if (model, pretrained) != (DEFAULT, "") else []
    parts += [dataset.resolve().name] if dataset.resolve() != DEFAULT_DATASET.resolve() else []
    return re.sub(r"[^\w.@-]", "-", "-".join(parts))


def measure(subjects: Subjects) -> dict[str, Any]:
    """All figures of the page. Raises BadInput for a data set of fewer than three scenes or queries."""
    model, dataset, line = subjects.model, subjects.dataset, ProgressLine("geometry")
    if min(len(dataset.scenes), len(dataset.queries)) < FEWEST:
        raise BadInput(
            f"{dataset.folder}: {len(dataset.scenes)} captioned images and {len(dataset.queries)} captions: "
            f"expected at least {FEWEST} of each, because a margin needs a second neighbour"
        )
    key = EncoderKey(subjects.model_id, "torch-eager", "fp32", "cpu")
    line.step("texts")
    texts = subjects.text_embeddings(key)[: len(dataset.queries)]
    line.step("images")
    images = subjects.image_embeddings(Cell(key, REFERENCE), range(len(dataset.scenes)))
    subjects.end()
    count = 8 if model.parameters > LARGE else 64
    streams: dict[Tower, list[Block] | str] = {}
    for tower in ("image", "text"):
        line.step(f"activations of the {tower} tower")
        streams[tower] = _streams(subjects, tower, count)
    line.finish()
    return {
        "schema": 1,
        "command": command_of(subjects),
        **evidence.stamp(),
        "model": {"name": model.name, "pretrained": model.pretrained, "weights_sha256": model.weights_sha256},
        "dataset": {"name": dataset.folder.resolve().name, "scenes": len(dataset.scenes), "queries": len(dataset.queries)},
        "text": cone(texts),
        "image": cone(images),
        "across": across(texts, images, dataset.gold_images),
        **logit_scale(model),
        "sampled": {"images": min(count, len(dataset.images)), "texts": min(count, len(dataset.texts))},
        "streams": streams,
    }


def command_of(subjects: Subjects) -> str:
    """The command that measures this again."""
    asked = [f"--model={subjects.name}"] if subjects.name != DEFAULT else []
    asked += [f"--pretrained={Path(subjects.pretrained).name}"] if subjects.pretrained else []
    asked += [f"--dataset={subjects.dataset_folder.name}"] if subjects.dataset_folder != DEFAULT_DATASET else []
    return f'make geometry ARGS="{" ".join(asked)}"' if asked else "make geometry"


def logit_scale(model: Model) -> dict[str, float]:
    """The factor of cosines before a softmax; empty if the model has none."""
    try:
        return {"logit_scale": model.similarity.scale}
    except Unavailable:
        return {}


def _streams(subjects: Subjects, tower: Tower, count: int) -> list[Block] | str:
    try:
        return massive(subjects.model, sample(subjects, tower, count), tower)
    except Unavailable as reason:
        return str(reason)


if __name__ == "__main__":
    sys.exit(main())
