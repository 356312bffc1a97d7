"""How a fault is planted: in what an encoder gives or gets, in its module, in its precision, or in a preprocessor's pixels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Array, Backend, Encoder, Evidence, Geometry, Preprocessor, Tokens, Tower
from fixtures.preprocessors.original_clip import OriginalClip

if TYPE_CHECKING:
    from fixtures.models import Model

Kind = Literal["encoder", "cuda encoder", "preprocessor"]
Load = Callable[["Model", str, Any], Encoder]  # model, device, strength


@dataclass(frozen=True)
class Fault:
    """One way to go wrong; `strengths` from the strongest to the weakest, of which the first `must` have to be caught."""

    number: int  # of the class in the specification
    name: str
    caught_by: tuple[str, ...]  # promises, any of which will do
    strengths: Mapping[str, Any]
    plant: Callable[[str, Any], Backend | Preprocessor]  # name, strength
    kind: Kind = "encoder"
    must: int = 99

    def names(self, weakest: bool = False) -> dict[str, tuple[str, Any]]:
        """Name of the planted thing to the label and value of its strength: all, or the weakest that has to be caught."""
        found = {f"{self.number:02d}.{self.name}.{i}": strength for i, strength in enumerate(self.strengths.items())}
        last = min(max(self.must, 1), len(found)) - 1
        return dict(list(found.items())[last : last + 1]) if weakest else found


class Altered(Encoder):
    """A good encoder between two functions: one for the batch it gets, one for the embeddings it gives."""

    def __init__(
        self,
        good: Encoder,
        given: Callable[[Any, Tower], Any] = lambda batch, tower: batch,
        found: Callable[[Array, Tower], Array] = lambda x, tower: x,
        looks: bool = True,
    ) -> None:
        self.good, self.given, self.found, self.looks = good, given, found, looks

    def upload(self, batch: Array | Tokens, tower: Tower) -> object:
        """As the good one."""
        return self.good.upload(self.given(batch, tower), tower)

    def forward(self, batch: object, tower: Tower) -> object:
        """As the good one, with the tower beside the result."""
        return tower, self.good.forward(batch, tower)

    def download(self, embedding: Any) -> Array:
        """The altered result."""
        tower, output = embedding
        return self.found(self.good.download(output), tower)

    def evidence(self, batch: Array | Tokens, tower: Tower) -> Evidence | None:
        """The sound encoder's evidence, or None for a fault in a remote backend."""
        return self.good.evidence(batch, tower) if self.looks else None


def encoder(load: Load, precision: str = "fp32") -> Callable[[str, Any], Backend]:
    """A backend whose encoder is what `load` makes."""

    def plant(planted: str, strength: Any) -> Backend:
        class Faulty(TorchEager):
            name = planted
            precisions: tuple[str, ...] = (precision,)

            def load(self, model: "Model", precision: str, device: str) -> Encoder:
                return load(model, device, strength)

        return Faulty()

    return plant


def good(model: "Model", device: str, precision: str = "fp32") -> Encoder:
    """The sound encoder that the fault is planted in."""
    return TorchEager().load(model, precision, device)


def output(alter: Callable[[Array, Tower, Any], Array]) -> Callable[[str, Any], Backend]:
    """A fault in what the encoder gives."""
    return encoder(lambda model, device, s: Altered(good(model, device), found=lambda x, tower: alter(x, tower, s)))


def source(alter: Callable[[Any, Tower, Any], Any]) -> Callable[[str, Any], Backend]:
    """A fault in what the encoder gets."""
    return encoder(lambda model, device, s: Altered(good(model, device), given=lambda batch, tower: alter(batch, tower, s)))


def module(mutate: Callable[[Any, Any], object], precision: str = "fp32") -> Callable[[str, Any], Backend]:
    """A fault in the weights or the graph: `mutate(clip, strength)` changes open_clip's module."""

    def load(model: "Model", device: str, strength: Any) -> Encoder:
        import torch

        from fixtures.backends._torch import TorchEncoder, half

        clip = model.module(precision)
        mutate(clip, strength)
        return TorchEncoder(clip, device, torch.float32 if precision == "fp32" else half(precision))

    return encoder(load, precision)


def pixels(
    after: Callable[[Array, Any], Array] = lambda pixels, strength: pixels,
    before: Callable[[Any, Any], Any] = lambda image, strength: image,
) -> Callable[[str, Any], Preprocessor]:
    """A fault in the reference's preprocessor: in the PIL image before it, or in the pixels [3, R, R] after."""
    return preprocessor(lambda image, geometry, s: after(OriginalClip().transform(before(image, s), geometry), s))


def preprocessor(transform: Callable[[Any, Geometry, Any], Array]) -> Callable[[str, Any], Preprocessor]:
    """A preprocessor whose transform is this one; it claims to be the reference and is held to the reference's budget."""

    def plant(planted: str, strength: Any) -> Preprocessor:
        class Faulty(OriginalClip):
            name = planted

            def transform(self, decoded: Any, geometry: Geometry) -> Array:
                return np.ascontiguousarray(transform(decoded, geometry, strength), np.float32)

        return Faulty()

    return plant
