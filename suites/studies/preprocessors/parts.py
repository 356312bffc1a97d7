"""What a decoder and a resizer are; a missing package costs its own rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fixtures.capability import Geometry, require
from fixtures.errors import Unavailable
from fixtures.preprocessors._shared import crop_box
from fixtures.registry import preprocessors

Decoded = Any  # a PIL image, or uint8 [H, W, 3 or 4]: a decoder gives one of them, a resizer takes one of them


@dataclass(frozen=True)
class Part:
    """A decoder, a resizer, or both in one; `call` takes what comes before it, and the model's geometry."""

    name: str
    call: Callable[[Any, Geometry], Any]
    about: str
    packages: Mapping[str, str] = field(default_factory=dict)
    able: Callable[[], None] = lambda: None  # raises Unavailable where a package is not enough
    takes_image: bool = False  # of a resizer: a PIL image; False: an array

    def missing(self) -> str:
        """Why it cannot run here; "" if it can."""
        try:
            require(self.packages)
            self.able()
        except Unavailable as reason:
            return str(reason)
        return ""

    def prepared(self, decoded: Decoded) -> Decoded:
        """What a decoder gave, in the form that this resizer takes."""
        return to_image(decoded) if self.takes_image else to_array(decoded)


def to_image(decoded: Decoded) -> Any:
    """A PIL image of the same pixels."""
    from PIL import Image

    return Image.fromarray(decoded) if isinstance(decoded, np.ndarray) else decoded


def to_array(decoded: Decoded) -> np.ndarray:
    """uint8 [H, W, 3 or 4] of the same pixels; what is not RGB or RGBA is converted to RGB."""
    if isinstance(decoded, np.ndarray):
        return decoded
    return np.array(decoded if decoded.mode in ("RGB", "RGBA") else decoded.convert("RGB"))


def to_rgb(decoded: Decoded) -> np.ndarray:
    """uint8 [H, W, 3]: alpha is dropped, as most libraries do before they resize."""
    return np.ascontiguousarray(to_array(decoded)[..., :3])


def cropped(resized: np.ndarray, corner: tuple[int, int], geometry: Geometry) -> np.ndarray:
    """The part of [H, W, C] that the model sees."""
    left, top = corner
    return resized[top : top + geometry.size, left : left + geometry.size]


def target(decoded: Decoded, geometry: Geometry) -> tuple[tuple[int, int], tuple[int, int]]:
    """The size to resize to, and the corner of the crop, with the reference's rounding."""
    height, width = decoded.shape[:2] if isinstance(decoded, np.ndarray) else decoded.size[::-1]
    return crop_box(width, height, geometry)


def ours(name: str, stage: str = "") -> Callable[[Any, Geometry], Any]:
    """A preprocessor of the matrix as a part: its transform alone, or all of it."""
    chosen = preprocessors()[name]
    return chosen.transform if stage == "transform" else chosen
