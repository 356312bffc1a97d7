"""Which cells and services are measured: those that are named, or the rows of the reference documents that run anywhere."""

from collections.abc import Sequence

from fixtures.capability import Backend
from fixtures.cell_names import Key, called, every_name, short
from fixtures.cells import EncoderKey
from fixtures.outside import from_class, join
from fixtures.registry import backends, services
from fixtures.services import Service

# The documents' openclip, onnx and fast/ (onnx with OpenCV, here with CLIP's geometry), and a service.
DEFAULT = ("torch-eager-fp32", "onnxruntime-fp32", "onnxruntime-fp32-opencv-area", "transformers-pipeline-fp32")
MORE = ("torch-eager-fp16", "torch-eager-bf16", "onnxruntime-int8")  # whose probabilities are shown beside those
QUICK = ("torch-eager-fp32", "onnxruntime-fp32")


def chosen(typed: Sequence[str], model: str) -> list[Key]:
    """The cells and services of these names, each once; raises BadInput for an unknown one, with the nearest name.

    A name is BACKEND-PRECISION-PREPROCESSOR-DEVICE as in a cell's id, where the end may be left out, or SERVICE-PRECISION.
    `module:Class` is a backend or a service of the user's own, at its first precision.
    """
    names = [_joined(name) if ":" in name else name for name in typed]
    return called(names, {**_services(model), **every_name(model)})


def _joined(spec: str) -> str:
    """The name under which a class of the user's own is known from here on."""
    made = from_class(spec, Backend)  # type: ignore[type-abstract]
    return join(made, services() if isinstance(made, Service) else backends(), spec)


def _services(model: str) -> dict[str, Key]:
    """By name, with the precision or without: then the first is meant."""
    found: dict[str, Key] = {}
    for service in services().values():
        keys = [EncoderKey(model, service.name, precision, service.devices[0]) for precision in service.precisions]
        found |= {service.name: keys[0], **{short(key): key for key in keys}}
    return found
