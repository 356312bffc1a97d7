"""Services in this process: a right one, and ones that prepare documents otherwise or mix them up."""

import io
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from fixtures.capability import Array, Geometry
from fixtures.models import Model
from fixtures.registry import backends, preprocessors
from fixtures.services import DocumentEncoder, Service
from fixtures.truth import REFERENCE
from plugins.serving import load

BUFFER = 200  # texts
load.MANY = 3 * BUFFER  # instead of 10,000


class Right(DocumentEncoder):
    """torch eager fp32 behind the reference's preprocessing and the model's own tokeniser."""

    def __init__(self, model: Model, normalised: bool = False) -> None:
        self.model, self.normalised = model, normalised
        self.encoder = backends()["torch-eager"].load(model, "fp32", "cpu")

    def embed_images(self, files: Sequence[bytes]) -> Array:
        """[N, D]."""
        side = self.model.resolution
        pixels = np.zeros((0, 3, side, side), np.float32)
        return self.last(self.encoder.encode(np.concatenate([pixels, *(self.pixels(file)[None] for file in files)]), "image"))

    def embed_texts(self, texts: Sequence[str]) -> Array:
        """[N, D]."""
        tokens = self.model.tokenize([*texts]) if texts else np.zeros((0, 77), np.int64)
        return self.last(self.encoder.encode(tokens, "text"))

    def pixels(self, file: bytes) -> Array:
        """[3, R, R] of one file."""
        return preprocessors()[REFERENCE].transform(self.opened(file), self.model.geometry)

    def opened(self, file: bytes) -> Any:
        """A PIL image."""
        from PIL import Image

        image = Image.open(io.BytesIO(file))
        image.load()
        return image

    def last(self, vectors: Array) -> Array:
        """What is returned."""
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if self.normalised and len(vectors) else vectors


class Squashes(Right):
    """The whole image becomes a square."""

    def pixels(self, file: bytes) -> Array:
        """[3, R, R] of one file."""
        return preprocessors()[REFERENCE].transform(self.opened(file), Geometry(self.model.resolution, squash=True))


class BlueFirst(Right):
    """OpenCV's order of colours."""

    def opened(self, file: bytes) -> Any:
        """A PIL image whose colours are turned round."""
        from PIL import Image

        return Image.fromarray(np.asarray(super().opened(file).convert("RGB"))[..., ::-1].copy())


class Cuts(Right):
    """Texts of at most 16 tokens."""

    def embed_texts(self, texts: Sequence[str]) -> Array:
        """[N, D]."""
        tokens = self.model.tokenize([*texts]) if texts else np.zeros((0, 77), np.int64)
        for row in tokens:
            if (end := int(row.argmax())) >= 16:
                row[15], row[16:] = row[end], 0
        return self.last(self.encoder.encode(tokens, "text"))


class Prompts(Right):
    """A template, as for labels."""

    def embed_texts(self, texts: Sequence[str]) -> Array:
        """[N, D]."""
        return super().embed_texts([f"a photo of a {text}" for text in texts])


class Mixes(Right):
    """While it is busy, one request in a hundred gets the vectors of the one before."""

    lock, busy, count, before = threading.Lock(), 0, 0, None

    def embed_texts(self, texts: Sequence[str]) -> Array:
        """[N, D]."""
        with self.lock:
            Mixes.busy, Mixes.count = Mixes.busy + 1, Mixes.count + 1
            mixed = Mixes.busy > 1 and Mixes.count % 100 == 0
        found = super().embed_texts(texts)
        with self.lock:
            Mixes.busy -= 1
            before, Mixes.before = Mixes.before, found  # type: ignore[assignment]
        return np.resize(before, found.shape).astype(np.float32) if mixed and before is not None else found


class Twins(Right):
    """Of equal documents in a request, only the first is embedded."""

    def embed_texts(self, texts: Sequence[str]) -> Array:
        """[N, D]."""
        found = super().embed_texts(texts).copy()
        found[[i for i, text in enumerate(texts) if text in texts[:i]]] = 1
        return found


class Forgets(Right):
    """Of a long request, the texts beyond a buffer get the vectors of its beginning."""

    def embed_texts(self, texts: Sequence[str]) -> Array:
        """[N, D]."""
        return np.resize(super().embed_texts(texts[:BUFFER]), (len(texts), self.model.embed_dim)).astype(np.float32)


class Shortens(Right):
    """Of a long request, only the beginning is answered."""

    def embed_texts(self, texts: Sequence[str]) -> Array:
        """[N, D]."""
        return super().embed_texts(texts[:BUFFER])


class Swallows(Right):
    """A file that is no image becomes a grey one."""

    def opened(self, file: bytes) -> Any:
        """A PIL image, whatever the file is."""
        from PIL import Image

        try:
            return super().opened(file)
        except OSError:
            return Image.new("RGB", (300, 200), "grey")


def service(kind: type[Right], unit: bool = False) -> type[Service]:
    """The service of an encoder."""

    class Planted(Service):
        name = f"{kind.__name__.lower()}{'-unit' if unit else ''}"
        precisions = ("fp32",)
        normalised = unit

        def load(self, model: Model, precision: str, device: str) -> DocumentEncoder:  # type: ignore[override]
            return kind(model, unit)

    return Planted


RightService, UnitService = service(Right), service(Right, unit=True)
SquashesService, BlueFirstService, CutsService, PromptsService = map(service, (Squashes, BlueFirst, Cuts, Prompts))
MixesService, TwinsService, SwallowsService = map(service, (Mixes, Twins, Swallows))
ForgetsService, ShortensService = map(service, (Forgets, Shortens))
