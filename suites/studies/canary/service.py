"""An encoder as a service: image bytes and texts in, one vector out; decoded files are kept, because only vectors are tried."""

import io
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fixtures.capability import Array, Encoder
from fixtures.registry import preprocessors
from fixtures.truth import REFERENCE
from plugins.canary.check import Embed, EmbedMany

if TYPE_CHECKING:
    from fixtures.models import Model

IN_A_LIST = 0.6  # of a call's time: what a document of a list takes, about as on one core


@cache
def pixels(model: "Model", file: bytes) -> Array:
    """The reference's, float32 [3, R, R]."""
    from PIL import Image

    reference = preprocessors()[REFERENCE]
    return reference.transform(reference.from_pil(Image.open(io.BytesIO(file))), model.geometry)


def functions(model: "Model", encoder: Encoder) -> tuple[Embed, Embed, EmbedMany, EmbedMany]:
    """For one image, one text, several images, several texts.

    A document that cannot be read reaches the encoder as an array without its axes, as in E15, and the encoder refuses it.
    """

    def images(files: Sequence[bytes]) -> Array:
        try:
            batch = np.stack([pixels(model, file) for file in files])
        except Exception:
            encoder.encode(np.zeros((len(files), 1), np.float32), "image")
            raise
        return encoder.encode(batch, "image")

    def texts(words: Sequence[str]) -> Array:
        try:
            batch = model.tokenize(list(words))
        except Exception:
            encoder.encode(np.zeros((len(words), 1), np.int64), "text")
            raise
        return encoder.encode(batch, "text")

    return lambda file: images([file])[0], lambda text: texts([text])[0], images, texts


class Paced:
    """A service whose calls take a given time, by a clock of its own: what a check leaves out is the same everywhere."""

    def __init__(self, given: Sequence[Callable[[Any], Any]], image_s: float, text_s: float) -> None:
        """`given` are the `functions`; seconds of a call with one document."""
        self.now, self.lock = 0.0, threading.Lock()
        image, text, images, texts = given
        self.one = self._taking(image, image_s, many=False), self._taking(text, text_s, many=False)
        self.many = self._taking(images, image_s, many=True), self._taking(texts, text_s, many=True)

    def clock(self) -> float:
        """Seconds that calls have taken; calls of several threads take as long as one after the other."""
        return self.now

    def _taking(self, call: Callable[[Any], Any], seconds: float, many: bool) -> Callable[[Any], Any]:
        def taken(documents: Any) -> Any:
            with self.lock:
                self.now += seconds * (IN_A_LIST * len(documents) if many else 1)
            return call(documents)

        return taken
