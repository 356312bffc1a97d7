"""What a cell computes inside: the output of every layer, taken from the cell itself by the means that its backend allows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fixtures.backends._compile import CompiledEncoder
from fixtures.backends._tensorrt import EngineEncoder
from fixtures.backends._torch import TorchEncoder
from fixtures.backends._transformers import names_there
from fixtures.backends.onnxruntime import OnnxEncoder
from fixtures.capability import Array, Encoder, Tokens, Tower
from fixtures.errors import Unavailable
from plugins.measures.drift.layers.engine import MarkedEngine
from plugins.measures.drift.layers.graph import Instrumented
from plugins.measures.drift.layers.layers import TAP, Layer

if TYPE_CHECKING:
    import torch

Watch = Callable[[Array | Tokens], dict[str, "torch.Tensor"]]
# Parameters that are added without a module of their own: the layer is what the next module is given.
GIVEN_TO = {"visual.positional_embedding": "visual.ln_pre", "positional_embedding": "transformer.resblocks.0"}
RESULTS = ("visual.proj", "text_projection")


def watch(encoder: Encoder, tower: Tower, layers: list[Layer]) -> tuple[Watch, str]:
    """A call that gives every layer's output by name, on the CPU and in the cell's own types, and how it is taken.

    Raises Unavailable for a cell that cannot be looked into.
    """
    if isinstance(encoder, TorchEncoder):
        how = "hooks on the module before compilation" if isinstance(encoder, CompiledEncoder) else "forward hooks"
        return lambda batch: hooked(encoder, batch, tower, layers), how
    if isinstance(encoder, OnnxEncoder):
        return Instrumented(encoder, tower, layers), "extra outputs of the graph"
    if isinstance(encoder, EngineEncoder):
        return MarkedEngine(encoder, tower, layers), "marked outputs of an engine of the same file"
    raise Unavailable(f"{type(encoder).__name__} cannot be looked into: its layers run in another process or a compiled model")


def hooked(encoder: TorchEncoder, batch: Array | Tokens, tower: Tower, layers: list[Layer]) -> dict[str, "torch.Tensor"]:
    """Through forward hooks; the compiled graph of a compiled cell would not call them."""
    kept: dict[str, Any] = {}
    with _hooks(encoder.module, layers, kept):
        kept[layers[-1].name] = TorchEncoder.forward(encoder, encoder.upload(batch, tower), tower)
    return {name: _batch_first(tensor.detach().cpu(), len(batch)) for name, tensor in kept.items()}


@contextmanager
def _hooks(module: Any, layers: list[Layer], kept: dict[str, Any]) -> Iterator[None]:
    def given(name: str) -> Any:
        return lambda _module, inputs: kept.__setitem__(name, inputs[0])

    def result(name: str) -> Any:
        def keep(_module: Any, _inputs: Any, output: Any) -> None:
            kept[name] = output[0] if isinstance(output, tuple) else output

        return keep

    handles = []
    try:
        for layer in layers:
            giver = GIVEN_TO.get(layer.name) or (layer.name.removesuffix(TAP) if layer.name.endswith(TAP) else None)
            found = None if layer.name in RESULTS else _submodule(module, giver or layer.name, layer.kind != "inner")
            if found is not None and giver:
                handles.append(found.register_forward_pre_hook(given(layer.name)))
            elif found is not None:
                handles.append(found.register_forward_hook(result(layer.name)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _submodule(module: Any, name: str, needed: bool) -> Any:
    """By open_clip's name of it, or by that of transformers; raises Unavailable where a needed one is called otherwise."""
    for path in (name, f"clip.{names_there(f'{name}.')[0].removesuffix('.')}"):
        try:
            return module.get_submodule(path)
        except AttributeError:
            continue
    if not needed:
        return None
    raise Unavailable(f"its torch module ({type(module).__name__}) has no {name}: its layers are called otherwise")


def _batch_first(tensor: "torch.Tensor", rows: int) -> "torch.Tensor":
    """OpenAI's code keeps rows as [T, N, C]."""
    return tensor.transpose(0, 1) if tensor.ndim == 3 and tensor.shape[0] != rows == tensor.shape[1] else tensor
