"""The cells that a command names: a report's id, or the same without the model, or with the usual preprocessor and device."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from fixtures.capability import Backend
from fixtures.cells import Cell, EncoderKey
from fixtures.errors import BadInput, nearest
from fixtures.machine.devices import present
from fixtures.models import model_id
from fixtures.outside import from_class, join
from fixtures.registry import backends, preprocessors
from fixtures.truth import REFERENCE

USUAL = "cpu"


def register(specs: Sequence[str]) -> None:
    """Add backends of one's own, by `package.module:Class`; raises BadInput. The working folder is searched for packages."""
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    for spec in specs:
        made = from_class(spec, Backend)  # type: ignore[type-abstract]
        if made.name not in backends():
            join(made, backends(), spec)


def named(model: str, pretrained: str, names: Sequence[str]) -> list[Cell]:
    """The cells of these names, in their order and each once; raises BadInput for an unknown one and for none."""
    known = dict(_known(model_id(model, pretrained)))
    for name in names:
        if name not in known:
            raise BadInput(f"unknown cell '{name}': {_hint(name, known)}")
    if not names:
        raise BadInput("no cell is named: expected --cells BACKEND-PRECISION, as in --cells onnxruntime-int8")
    return list(dict.fromkeys(known[name] for name in names))


def _known(model: str) -> Iterator[tuple[str, Cell]]:
    for backend in backends().values():
        for precision in backend.precisions:
            for device in present():
                if not backend.offers(precision, device):
                    continue
                for preprocessor in preprocessors():
                    cell = Cell(EncoderKey(model, backend.name, precision, device), preprocessor)
                    short = f"{backend.name}-{precision}"
                    yield str(cell), cell
                    yield str(cell).removeprefix(f"{model}-"), cell
                    if device == USUAL:
                        yield f"{short}-{preprocessor}", cell
                    if device == USUAL and preprocessor == REFERENCE:
                        yield short, cell


def _hint(name: str, known: dict[str, Cell]) -> str:
    short = {cell.encoder: f"{cell.encoder.backend}-{cell.encoder.precision}" for cell in known.values()}
    return nearest(name, known if name.count("-") > 2 else short.values())
