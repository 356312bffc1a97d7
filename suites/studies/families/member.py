"""`python -m suites.studies.families.member NAME FILE`: one member, in a process of its own; a line for each thing measured."""

import gc
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import TypedDict

from fixtures.capability import TOWERS, Array, Tokens, Tower
from fixtures.datasets import DEFAULT, load_dataset
from fixtures.images import decoded
from fixtures.models import Model, load_model
from fixtures.progress import say, ticking
from fixtures.registry import backends, preprocessors
from fixtures.storage.lines import Lines
from fixtures.truth import REFERENCE, one_by_one
from plugins.measures.vectors.metrics import cosine_distance
from suites.studies.families.members import MEMBERS, WEIGHTS, Member

CELLS = (("torch-eager", "fp32"), ("onnxruntime", "fp32"), ("onnxruntime", "fp16"), ("torch-eager", "fp16"))
CONTRACT = "contract"  # of a line
INPUTS = 8  # of each tower
TEXTS = (
    "A RED Cat on a sofa",
    "two Dogs",
    "кошка на диване",
    "一只猫坐在红色的沙发上",
    "",
    "a photo of a cat, " * 12,
    "caffè",
    "a",
)
WARM_UPS, CALLS, MOST_S = 2, 10, 30.0  # a call of the slowest takes seconds
Inputs = dict[Tower, Array | Tokens]


class Measured(TypedDict):
    """One tower of one cell; milliseconds of a call of one row."""

    cosine_distance: float  # the largest to torch eager fp32's
    first_ms: float
    p50_ms: float
    calls: int


def contract(model: Model, member: Member) -> dict[str, Any]:
    """What the model's own configuration says, and how far the suite's way is from its family's own code."""
    wanted, frame, own = model.geometry, model.frame, model.own_code()
    inputs, data = _inputs(model), load_dataset(DEFAULT)
    pictures = [decoded(data.path(name)) for name in data.scenes[:INPUTS]]
    theirs: Inputs = {"image": np.stack([own.pixels(picture) for picture in pictures]), "text": own.tokens(list(TEXTS))}
    reference = backends()["torch-eager"].load(model, "fp32", "cpu")
    return {
        "family": member.family,
        "name": member.name,
        "parameters": model.parameters,
        "embed_dim": model.embed_dim,
        "size": wanted.size,
        "squash": wanted.squash,
        "interpolation": wanted.interpolation,
        "mean": list(wanted.mean),
        "std": list(wanted.std),
        "context": frame.length,
        "pad": frame.pad,
        "lower_case": model.lower_case,
        "probabilities": "softmax" if model.similarity.bias is None else "sigmoid",
        "other_tokens": int((theirs["text"] != inputs["text"]).sum()),
        "pixels": float(np.abs(theirs["image"] - inputs["image"]).max()),
        "vectors": {
            tower: float(cosine_distance(own.vectors(theirs[tower], tower), one_by_one(reference, inputs[tower], tower)).max())
            for tower in TOWERS
        },
    }


def _inputs(model: Model) -> Inputs:
    data, prepare = load_dataset(DEFAULT), preprocessors()[REFERENCE]
    pixels = [prepare(data.path(name), model.geometry) for name in data.scenes[:INPUTS]]  # 640 x 425
    return {"image": np.stack(pixels), "text": model.tokenize(list(TEXTS))}


def cell(model: Model, backend: str, precision: str, wanted: dict[Tower, Array]) -> dict[str, Any]:
    """Build one cell, compare its vectors with `wanted`, and time it."""
    inputs, started = _inputs(model), time.monotonic()
    encoder = backends()[backend].load(model, precision, "cpu")
    found: dict[str, Any] = {"load_s": time.monotonic() - started - (encoder.build_s or 0.0)}
    if encoder.build_s is not None:
        found["build_s"] = encoder.build_s
    for tower in TOWERS:
        batch = inputs[tower]
        vectors = one_by_one(encoder, batch, tower)
        wanted.setdefault(tower, vectors)
        times = list(_milliseconds(lambda i, b=batch, t=tower: encoder.encode(b[i % len(b)][None], t)))  # type: ignore[misc]
        steady = times[WARM_UPS:] or times
        found[tower] = Measured(
            cosine_distance=float(cosine_distance(vectors, wanted[tower]).max()),
            first_ms=times[0],
            p50_ms=float(np.median(steady)),
            calls=len(steady),
        )
    return found


def _milliseconds(call: Callable[[int], object]) -> Iterator[float]:
    """Of up to so many calls, fewer if they take too long."""
    begun = time.monotonic()
    for number in range(WARM_UPS + CALLS):
        started = time.perf_counter()
        call(number)
        yield 1e3 * (time.perf_counter() - started)
        if time.monotonic() - begun > MOST_S:
            return


def main(name: str, file: Path) -> int:
    """Measure what the file does not have yet; 1 if a cell failed, which its line explains."""
    logging.getLogger().setLevel(logging.ERROR)  # open_clip says that random weights are random
    member = next(each for each in MEMBERS if each.name == name)
    lines = Lines(file)
    known = {line["what"]: line for line in lines.read() if line["name"] == name}
    failed = any("failed" in line for line in known.values())
    if known.keys() >= {CONTRACT, *map(" ".join, CELLS)}:
        return int(failed)
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as folder:
        with ticking(f"{name}: random weights"):
            model = load_model(member.model(Path(folder)), WEIGHTS)
        wanted: dict[Tower, Array] = {}
        for backend, precision in CELLS:
            what = f"{backend} {precision}"
            if what in known and wanted:
                continue
            try:
                if not wanted and (backend, precision) != CELLS[0]:
                    raise RuntimeError(f"there are no vectors of {' '.join(CELLS[0])} to compare with")
                with ticking(f"{name}: {what}"):
                    found = cell(model, backend, precision, wanted)
            except Exception as error:  # a cell that cannot be built is a result
                found, failed = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}, True
            gc.collect()
            if what not in known:
                lines.append({"name": name, "what": what, **found})
                say(f"{name}: {what}: {found.get('failed', 'done')}")
        if CONTRACT not in known:
            with ticking(f"{name}: its family's own code"):
                lines.append({"name": name, "what": CONTRACT, **contract(model, member)})
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
