"""An encoder as a service: image bytes and texts in, one vector out; decoded files are kept, because only vectors are tried."""

import io
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from fixtures.capability import Array, Encoder
from fixtures.registry import preprocessors
from fixtures.truth import REFERENCE
from plugins.canary.check import Embed, EmbedMany

if TYPE_CHECKING:
    from fixtures.models import Model


@cache
def pixels(model: "Model", file: bytes) -> Array:
    """The reference's, float32 [3, R, R]."""
    from PIL import Image

    reference = preprocessors()[REFERENCE]
    return reference.transform(reference.from_pil(Image.open(io.BytesIO(file))), model.geometry)


def functions(model: "Model", encoder: Encoder) -> tuple[Embed, Embed, EmbedMany, EmbedMany]:
    """For one image, one text, several images, several texts."""

    def images(files: Sequence[bytes]) -> Array:
        return encoder.encode(np.stack([pixels(model, file) for file in files]), "image")

    def texts(words: Sequence[str]) -> Array:
        return encoder.encode(model.tokenize(list(words)), "text")

    return lambda file: images([file])[0], lambda text: texts([text])[0], images, texts
