"""`--update-golden`: recomputes the golden data, prints how they differ from the old ones, writes them, and fails the run."""

import hashlib
import json
import shlex
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures import truth
from fixtures.capability import Array, Tower
from fixtures.errors import BadInput
from fixtures.preprocessors._shared import to_8_bits
from fixtures.progress import counted
from fixtures.storage.full_disk import writing
from fixtures.storage.replace import replacing
from fixtures.truth import REFERENCE
from plugins.cells.fixtures import chosen
from plugins.command_line.options import to_be_written
from plugins.golden.derivation import BUDGET_RULE, TOLERANCE_RULE, budgets, tolerances
from plugins.golden.from_stored import FromStored
from plugins.golden.on_device import update_on
from plugins.golden.replaced import Replaced
from plugins.golden.verified import folder, pixel_file, put_back
from plugins.measures.vectors.metrics import METRICS
from plugins.run import environment
from plugins.run.bad_input import one_sentence
from plugins.subjects import Subjects

REFERENCE_VECTORS = "torch eager, fp32, CPU, batch 1"
REWRITTEN = "golden data were rewritten, and nothing was tested: check the diff, then run the tests"
KEPT = 33  # so many scenes, evenly spaced, and all odd files keep their golden pixels


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --from-stored."""
    text = "take golden vectors from an index (Parquet: id, vector), where it has them (docs/corpus.md)"
    parser.getgroup("clip-conformance").addoption("--from-stored", type=Path, metavar="FILE", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """A store without an update would be ignored, and so would one with an update of a device's tolerances alone."""
    if not config.option.from_stored:
        return
    if config.option.device not in ("auto", "cpu"):
        raise pytest.UsageError(
            f"--from-stored gives vectors, --device {config.option.device} updates tolerances alone: leave one out"
        )
    if not config.getoption("--update-golden"):
        raise pytest.UsageError("--from-stored is for --update-golden: add that, or compare with --compare-vectors FILE")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Update the golden data instead of running tests, and fail the session: what tested nothing must not pass."""
    config = session.config
    if not config.getoption("--update-golden"):
        return
    with one_sentence():
        command, device, store = (
            ["pytest", *map(str, config.invocation_params.args)],
            config.option.device,
            config.option.from_stored,
        )
        if device in ("auto", "cpu"):
            lines = update(chosen(config), command, store)
        else:
            lines = update_on(chosen(config), device, command)
    config.get_terminal_writer().write("\n" + "\n".join(lines) + "\n")
    session.shouldfail = REWRITTEN
    raise session.Failed(session.shouldfail)  # exit status 1; pytest.exit would print the name of its exception too


def update(subjects: Subjects, command: list[str], store: Path | None = None) -> list[str]:
    """Compute golden data, write them, and return lines about what changed; `command` is recorded in the manifest.

    Vectors that a `store` has are taken from there. Tolerances and budgets are the named model's in any case.
    """
    where = folder(subjects)
    to_be_written(where.parent)
    put_back(where)
    model, dataset = subjects.model, subjects.dataset
    names = [*dataset.scenes[:: -(-len(dataset.scenes) // KEPT)], *dataset.odd]
    apart(names)  # before the minutes that the rest takes
    print(f"\nmaking golden data in {where} ({len(dataset.images)} images, {len(dataset.texts)} texts)", file=sys.stderr)
    taken = FromStored.of(store, subjects) if store else None
    inputs: dict[Tower, Any] = {"image": subjects.pixels(REFERENCE).rows(range(len(dataset.images))), "text": subjects.tokens}
    vectors: dict[Tower, Array] = {}
    exact: dict[Tower, np.ndarray] = {}
    for tower, batch in inputs.items():
        known = taken.vectors.get(tower) if taken else None
        vectors[tower] = truth.reference(model, batch, tower, partial(counted, f"{tower} fp32")) if known is None else known
        exact[tower] = truth.float64(model, batch, tower, partial(counted, f"{tower} float64"))
    if not all(np.isfinite(v).all() for v in (*vectors.values(), *exact.values())):  # taken vectors are not the model's own
        raise BadInput(f"model {model.id} gives NaN or Inf on the golden inputs: check its weights before making golden data")
    errors = {
        f"{tower}.error.{name}": metric(vectors[tower], exact[tower]) for tower in vectors for name, metric in METRICS.items()
    }
    before = Replaced.of(subjects)
    files = {
        "tolerances.toml": "\n".join(
            [tolerances(subjects, inputs, exact, partial(counted, "tolerances")), *before.tables.values()]
        ).encode(),
        "preprocessing.toml": budgets(subjects, names, partial(counted, "preprocessors")).encode(),
    }
    manifest = _manifest(
        subjects, names, command, REFERENCE_VECTORS if taken is None else f"{taken}; others: {REFERENCE_VECTORS}"
    )
    _write(where, subjects, vectors, errors, files, {**manifest, **({"devices": before.devices} if before.devices else {})})
    worst = max(float(v.max()) for k, v in errors.items() if k.endswith("cosine_distance"))
    error = "certified error of the new vectors" if taken is None else f"{taken}, beside {model.id} in float64"
    return [
        f"{where}: new golden data of {len(dataset.images)} images and {len(dataset.texts)} texts",
        *(f"  {line}" for line in [*before.beside(vectors, subjects), f"{error}: cosine distance at most {worst:.2g}"]),
    ]


def _write(
    where: Path,
    subjects: Subjects,
    vectors: dict[Tower, Array],
    errors: dict[str, np.ndarray],
    files: dict[str, bytes],
    manifest: dict[str, Any],
) -> None:
    """Write everything to a temporary folder next to the target, then rename it to the target."""
    from PIL import Image
    from safetensors.numpy import save

    names = manifest["pixel_names"]
    files["vectors.safetensors"] = save({**{str(tower): rows for tower, rows in vectors.items()}, **errors})
    kept = subjects.pixels(REFERENCE).rows(subjects.dataset.rows(names))
    with writing(f"golden data {where.name}", where.parent), replacing(where) as work:
        (work / "pixels").mkdir()
        for name, pixels in zip(names, kept, strict=True):
            Image.fromarray(to_8_bits(pixels, subjects.model.geometry)).save(work / "pixels" / pixel_file(name), optimize=True)
        for name, content in files.items():
            (work / name).write_bytes(content)
        everything = sorted(p for p in work.rglob("*") if p.is_file())
        hashes = {str(p.relative_to(work)): hashlib.sha256(p.read_bytes()).hexdigest() for p in everything}
        about = json.dumps({**manifest, "files": hashes}, indent=1, ensure_ascii=False)
        (work / "manifest.json").write_text(about, encoding="utf-8")


def apart(names: list[str]) -> None:
    """Raise BadInput if two images would share a file of pixels, as `a/b.png` and `a_b.png` would."""
    owners: dict[str, str] = {}
    for name in names:
        other = owners.setdefault(pixel_file(name), name)
        if other != name:
            raise BadInput(f"images {other} and {name} would share the golden file {pixel_file(name)}: rename one of them")


def _manifest(subjects: Subjects, names: list[str], command: list[str], reference: str) -> dict[str, Any]:
    model, dataset = subjects.model, subjects.dataset
    return {
        "model": {"name": model.name, "pretrained": model.pretrained, "parameters": model.parameters},
        "weights_sha256": model.weights_sha256,
        "dataset_sha256": dataset.sha256,
        "preprocessor": REFERENCE,
        "pictures": asdict(model.geometry),
        "tokens_sha256": hashlib.sha256(subjects.tokens.tobytes()).hexdigest(),
        "reference": reference,
        "rules": {"tolerances": TOLERANCE_RULE, "preprocessing": BUDGET_RULE},
        "pixel_names": names,
        "command": shlex.join(command),
        "date": environment.now(),
        "environment": environment.fingerprint(),
    }
