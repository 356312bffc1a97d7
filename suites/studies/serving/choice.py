"""Which cells and services are measured: those that are named, or the rows of the reference documents that run anywhere."""

from collections.abc import Iterator, Sequence

from fixtures.capability import Backend
from fixtures.cells import Cell, EncoderKey
from fixtures.errors import BadInput, nearest
from fixtures.machine.devices import present
from fixtures.outside import from_class, join
from fixtures.registry import backends, preprocessors, services
from fixtures.services import Service
from fixtures.truth import REFERENCE

Key = Cell | EncoderKey  # an encoder with a preprocessor, or a service
# The documents' openclip, onnx and fast/ (onnx with OpenCV, here with CLIP's geometry), and a service.
DEFAULT = ("torch-eager-fp32", "onnxruntime-fp32", "onnxruntime-fp32-opencv-area", "transformers-pipeline-fp32")
MORE = ("torch-eager-fp16", "torch-eager-bf16", "onnxruntime-int8")  # whose probabilities are shown beside those
QUICK = ("torch-eager-fp32", "onnxruntime-fp32")


def short(key: Key) -> str:
    """What a user types: without the model, the reference preprocessor and the CPU."""
    encoder = key.encoder if isinstance(key, Cell) else key
    more = [key.preprocessor] if isinstance(key, Cell) and key.preprocessor != REFERENCE else []
    device = [encoder.device] if encoder.device not in ("cpu", *Service.devices) else []
    return "-".join([encoder.backend, encoder.precision, *more, *device])


def chosen(typed: Sequence[str], model: str) -> list[Key]:
    """The cells and services of these names, each once; raises BadInput for an unknown one, with the nearest name.

    A name is BACKEND-PRECISION-PREPROCESSOR-DEVICE as in a cell's id, where the end may be left out, or SERVICE-PRECISION.
    `module:Class` is a backend or a service of the user's own, at its first precision.
    """
    named = [_joined(name) if ":" in name else name for name in typed]
    known = dict(_names(model))
    for name in named:
        if name not in known:
            raise BadInput(f"unknown cell '{name}': {nearest(name, known)}")
    return list(dict.fromkeys(known[name] for name in named))


def _joined(spec: str) -> str:
    """The name under which a class of the user's own is known from here on."""
    made = from_class(spec, Backend)  # type: ignore[type-abstract]
    return join(made, services() if isinstance(made, Service) else backends(), spec)


def _names(model: str) -> Iterator[tuple[str, Key]]:
    """Every name of every cell and service; the first of equal names is meant, so shorter ones come last."""
    cells = [
        Cell(EncoderKey(model, backend.name, precision, device), preprocessor)
        for backend in backends().values()
        for precision in backend.precisions
        for device in present()
        if backend.offers(precision, device)
        for preprocessor in sorted(preprocessors(), key=lambda name: name != REFERENCE)
    ]
    for service in services().values():
        keys = [EncoderKey(model, service.name, precision, service.devices[0]) for precision in service.precisions]
        yield service.name, keys[0]
        yield from ((short(key), key) for key in keys)
    for cell in reversed(cells):  # of equal names the first cell is meant: dict() keeps the last
        e = cell.encoder
        parts = (e.backend, e.precision, cell.preprocessor, e.device)
        yield from (("-".join(parts[:n]), cell) for n in range(1, len(parts) + 1))
        yield short(cell), cell
