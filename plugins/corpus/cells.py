"""The cells that a command names."""

import sys
from collections.abc import Sequence
from pathlib import Path

from fixtures.capability import Backend
from fixtures.cell_names import called, every_name
from fixtures.cells import Cell
from fixtures.errors import BadInput
from fixtures.models import model_id
from fixtures.outside import from_class, join
from fixtures.registry import backends


def register(specs: Sequence[str]) -> None:
    """Add backends of one's own, by `package.module:Class`; raises BadInput. The working folder is searched for packages."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    for spec in specs:
        join(from_class(spec, Backend), backends(), spec)  # type: ignore[type-abstract]


def named(model: str, pretrained: str, names: Sequence[str]) -> list[Cell]:
    """The cells of these names, in their order and each once; raises BadInput for an unknown one and for none."""
    if not names:
        raise BadInput("no cell is named: expected --cells BACKEND-PRECISION, as in --cells onnxruntime-int8")
    return called(names, every_name(model_id(model, pretrained)))
