"""What a comparison of a corpus is made of; anything that can change its answer is in its key."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fixtures.capability import Tower
from fixtures.cells import Cell
from fixtures.errors import BadInput
from fixtures.machine.facts import facts
from fixtures.storage.atomic import write_text
from plugins.corpus.cells import named, register
from plugins.corpus.sources import Source
from plugins.golden.derivation import RELATIVE_FLOOR
from plugins.golden.verified import folder, load_golden
from plugins.run import environment
from plugins.stored.parquet import StoredVectors
from plugins.subjects import Subjects

TOWER: Tower = "image"
COSINE = "cosine_distance"


@dataclass(frozen=True)
class Plan:
    """All that a worker needs to know, on any machine."""

    model: str
    pretrained: str
    backends: tuple[str, ...]  # of one's own, module:Class
    names: tuple[str, ...]  # of cells
    stored: Path | None
    batch: int  # inputs that a cell encodes in one call; the reference takes one
    threads: int  # of a worker
    round_off: float  # the cosine distance up to which vectors count as identical

    def cells(self) -> list[Cell]:
        """The cells; their backends are registered in this process first. Raises BadInput."""
        register(self.backends)
        return named(self.model, self.pretrained, self.names)

    @property
    def store(self) -> StoredVectors | None:
        """The stored vectors that cells are compared with, in place of the reference's."""
        return StoredVectors(self.stored) if self.stored else None


def round_off(subjects: Subjects) -> float:
    """The cosine distance of fp32 round-off: golden's tolerance, or its floor for a model that has no golden data."""
    if (folder(subjects) / "manifest.json").is_file():
        return float(load_golden(subjects).limits("fp32", TOWER, COSINE, [""])[0])
    return RELATIVE_FLOOR**2 / 2


def key(plan: Plan, source: Source, part: int, queries: int, weights: str) -> dict[str, Any]:
    """What has to be the same for a comparison to go on; `weights` is the model's SHA-256."""
    return {
        "number of images": len(source),
        "images": source.digest(),
        "cells": [str(cell) for cell in plan.cells()],
        "weights": weights,
        "stored vectors": plan.store.digest() if plan.store else "none",
        "images in a part": part,
        "queries": queries,
        "images in a call": plan.batch,
        "threads": plan.threads,
        "round-off": plan.round_off,
        "suite": environment.commit(),
        "packages": facts().packages,
    }


def begin(out: Path, found: dict[str, Any]) -> None:
    """Write the key to a new folder; in one that has a key, raises BadInput unless it is the same."""
    file, found = out / "key.json", json.loads(json.dumps(found))
    if not file.exists():
        if out.exists() and any(out.glob("[!.]*")):
            raise BadInput(
                f"{out} has files that this command did not write: expected a new or empty folder; name another --out"
            )
        write_text(file, json.dumps(found, indent=1) + "\n")
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        before = {}
    before = before if isinstance(before, dict) else {}
    changed = [name for name in found if before.get(name) != found[name]]
    if changed:
        was, now = (_short(side.get(changed[0])) for side in (before, found))
        raise BadInput(
            f"{out} was begun with other {' and '.join(changed)} ({changed[0]}: {was} then, {now} now): expected the same "
            "corpus, cells and versions to go on; name another --out, or remove that folder to begin anew"
        )


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def ranges(count: int, size: int) -> Iterable[tuple[int, int, int]]:
    """Number, start and stop of each part of `size` images."""
    return ((number, start, min(start + size, count)) for number, start in enumerate(range(0, count, size)))


subjects_of = cache(Subjects)  # by model and tag: the model is loaded once in a process
