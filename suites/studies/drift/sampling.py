"""Which inputs each part of the audit looks at, and the subjects that it shares with the suites."""

import shlex
from pathlib import Path
from typing import Any

from fixtures.capability import Tower
from fixtures.models import DEFAULT as DEFAULT_MODEL
from fixtures.models import Model
from fixtures.spaced import spaced
from fixtures.truth import LARGE, REFERENCE
from plugins.subjects import Subjects

TOWERS: tuple[Tower, ...] = ("image", "text")


class Budget:
    """How many inputs, mutations (of a population) and examples (of hypothesis): fewer with a large model."""

    def __init__(self, model: Model) -> None:
        large = model.parameters > LARGE
        self.layers = 8 if large else 32
        self.ranges: int | None = 64 if large else None
        self.mutations, self.examples = (4, 40) if large else (30, 300)
        self.ranked = 2 if large else 1  # of the cells whose rankings are audited, every second
        self.policy_texts: int | None = 128 if large else None
        self.tried = 4 if large else 16  # inputs on which a set of operations is tried
        self.tighter = not large  # whether a policy for a tighter budget is searched where none is needed


def subjects_of(model: str, pretrained: str, golden: Path) -> Subjects:
    """Model, data set, pixels and tokens, each made when first asked for."""
    chosen = (("model", model, DEFAULT_MODEL), ("pretrained", pretrained, ""))
    options = [f"--{name}={shlex.quote(value)}" for name, value, usual in chosen if value != usual]
    return Subjects(model, pretrained, golden=golden, options=options)


def sample(subjects: Subjects, tower: Tower, count: int | None) -> Any:
    """So many evenly spaced inputs of the data set (None: all): pixels [N, 3, R, R] or tokens [N, L]."""
    total = len(subjects.dataset.images if tower == "image" else subjects.dataset.texts)
    rows = spaced(total, count or total)
    return subjects.pixels(REFERENCE).rows(rows) if tower == "image" else subjects.tokens[rows]
