"""A cell or a service as what a client sees: documents in, vectors out, with the limits that its vectors must keep."""

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from fixtures.capability import Array, Preprocessor, Tower
from fixtures.cell_names import Key, short
from fixtures.cells import Cell, EncoderKey
from fixtures.errors import BadInput, Unavailable
from fixtures.progress import ticking
from fixtures.registry import backend
from fixtures.services import Service
from fixtures.spaced import spaced
from fixtures.truth import REFERENCE
from plugins.golden.verified import Golden, names_of
from plugins.measures.latency.steady import WarmUp, warm_up
from plugins.measures.vectors.metrics import Comparison, Float64, add_angles, cosine_distance
from plugins.serving.answers import Answers
from plugins.subjects import Subjects

if TYPE_CHECKING:
    from PIL import Image

COSINE = "cosine_distance"
Lap = Callable[[str], None]  # ends a stage of that name
Documents = Sequence[bytes | str]
OTHERS = {"E4", "S5"}  # promises that a vector does not depend on its batch
# Promises that a vector points where golden's points.
DIRECTION: Mapping[Tower, set[str]] = {"image": {"E2", "C1", "S2"}, "text": {"E2", "S3"}}


def untimed(_: str) -> None:
    """Where nobody asks for stages."""


@dataclass(frozen=True)
class Pool:
    """The documents that are sent, of one tower: their rows in golden's vectors, their names, and what is sent."""

    rows: list[int]
    names: list[str]
    documents: Documents

    def paths(self, subjects: Subjects) -> list[Path]:
        """The files of a pool of images."""
        return [Path(subjects.dataset.path(name)) for name in self.names]


def pool(subjects: Subjects, tower: Tower, most: int, takes: Callable[[str], bool] = lambda _: True) -> Pool:
    """At most so many opaque scenes of files that are taken, or captions, evenly spaced.

    Raises BadInput for a data set without opaque scenes, and Unavailable if none of them is taken.
    """
    data, names = subjects.dataset, names_of(subjects, tower)
    if tower == "image":
        able = [row for row, name in enumerate(data.scenes) if subjects.trait(name) == "opaque"]
    else:
        able = [*range(len(data.queries))]
    if not able:
        raise BadInput(f"{data.folder} has no opaque scene: expected some to index; add photographs without transparency")
    if tower == "image" and not (able := [row for row in able if takes(names[row])]):
        raise Unavailable(f"{data.folder} has no opaque scene of a type that it takes")
    rows = [able[place] for place in spaced(len(able), most, last=False)]
    sent: Documents = [data.texts[row] for row in rows]
    if tower == "image":
        sent = [Path(data.path(names[row])).read_bytes() for row in rows]
    return Pool(rows, [names[row] for row in rows], sent)


class Subject(ABC):
    """What is measured. Opening it raises CannotRun or BuildFailed with the reason."""

    towers: Sequence[Tower] = ("image", "text")
    max_batch: int | None = None  # documents a request
    image_types: Sequence[str] | None = None  # suffixes of the files that it takes; None: all
    preprocessing = REFERENCE

    def __init__(self, key: EncoderKey, name: str, golden: Golden) -> None:
        self.key, self.name, self.golden = key, name, golden
        self._alone: dict[Tower, Array] = {}

    @abstractmethod
    def embed(self, documents: Documents, tower: Tower, lap: Lap = untimed) -> Array:
        """One request: float32 [N, D]. Raises BrokenForm for an answer of another form; other exceptions are refusals."""

    @abstractmethod
    def first(self, pool: Pool, tower: Tower) -> WarmUp:
        """The cost of the first requests of one document since it was opened."""

    def close(self) -> None:  # noqa: B027 - an encoder is freed by what built it
        """End what it holds."""

    def takes(self, name: str) -> bool:
        """True for an image file of a type that it takes."""
        return self.image_types is None or Path(name).suffix.lower() in self.image_types

    def alone(self, pool: Pool, tower: Tower) -> Array:
        """Each document's vector from a request of its own, float32 [N, D]; asked for once."""
        if tower not in self._alone:
            with ticking(f"{self.name}: {len(pool.names)} {tower}s, one a request"):
                self._alone[tower] = np.concatenate([self.embed([one], tower) for one in pool.documents])
        return self._alone[tower]

    def allowed(self, names: Sequence[str], tower: Tower) -> Float64:
        """The cosine distance that two equal documents' vectors may have, float64 [N]: the precision's tolerance."""
        return self.golden.limits(self.key.tolerance, tower, COSINE, names)

    def from_golden(self, names: Sequence[str], tower: Tower) -> Float64:
        """The cosine distance from golden's vectors that is allowed, float64 [N]: with the preprocessing's budget."""
        limits = self.allowed(names, tower)
        if tower == "text" or self.preprocessing == REFERENCE:
            return limits
        return np.asarray(add_angles(limits, self.golden.budget(self.preprocessing, COSINE)))

    def right(self, found: Sequence[object], rows: Sequence[int], pool: Pool, tower: Tower) -> list[bool]:
        """Which of `found` (a vector [D] each, or None) point where golden's vector of the pool's document points."""
        wanted = getattr(self.golden, tower)[pool.rows][list(rows)]
        limits = self.from_golden([pool.names[row] for row in rows], tower)
        missing = np.full(wanted.shape[1], np.nan, np.float32)
        vectors = np.stack([missing if one is None else np.asarray(one, np.float32) for one in found])
        return [bool(near) for near in cosine_distance(vectors, wanted) <= limits]

    def beside_alone(self, found: Array, rows: Sequence[int], pool: Pool, tower: Tower) -> Comparison:
        """Vectors [N, D] that came out of an index beside those of the same documents in requests of their own."""
        wanted, names = self.alone(pool, tower)[list(rows)], [pool.names[row] for row in rows]
        return Comparison(COSINE, cosine_distance(found, wanted), self.allowed(names, tower), names)

    def declares(self, promises: set[str], tower: Tower) -> bool:
        """True if it declares that it breaks one of these promises."""
        return not promises.isdisjoint(self.known(tower))

    def known(self, tower: Tower) -> set[str]:
        """The promises that it declares it breaks."""
        return {*self.key.known_failures(tower)}


class CellSubject(Subject):
    """An encoder behind a preprocessor and the model's own tokeniser."""

    def __init__(self, cell: Cell, subjects: Subjects, golden: Golden) -> None:
        super().__init__(cell.encoder, short(cell), golden)
        self.cell, self.model, self.preprocessing = cell, subjects.model, cell.preprocessor
        self.preprocessor: Preprocessor = subjects.preprocessor(cell.preprocessor)
        self.loaded = subjects.encoder(cell.encoder)

    def embed(self, documents: Documents, tower: Tower, lap: Lap = untimed) -> Array:
        """Decode and preprocess, or tokenise, then encode."""
        if tower == "text":
            batch = self.model.tokenize([*cast(Sequence[str], documents)])
            lap("tokenise")
        else:
            decoded = [self.preprocessor.from_pil(opened(file)) for file in cast(Sequence[bytes], documents)]
            lap("decode")
            batch = np.stack([self.preprocessor.transform(image, self.model.geometry) for image in decoded])
            lap("preprocess")
        found = self.loaded.formed.encode(batch, tower)
        lap("encode")
        return found

    def first(self, pool: Pool, tower: Tower) -> WarmUp:
        """Of the encoder alone, made when it was built."""
        return self.loaded.warm_up[tower]

    def known(self, tower: Tower) -> set[str]:
        """The encoder's, and the preprocessor's about images."""
        return super().known(tower) | ({*self.cell.known_failures()} if tower == "image" else set())


class ServiceSubject(Subject):
    """A service, which does everything itself."""

    def __init__(self, key: EncoderKey, subjects: Subjects, golden: Golden) -> None:
        super().__init__(key, short(key), golden)
        service, self.answers = backend(key.backend), Answers(subjects, golden, key)
        assert isinstance(service, Service)
        self.towers, self.max_batch, self.preprocessing = service.towers, service.max_batch, service.preprocessing
        self.image_types = service.image_types
        _ = self.answers.encoder  # opened now
        self._first: dict[Tower, WarmUp] = {}

    def embed(self, documents: Documents, tower: Tower, lap: Lap = untimed) -> Array:
        """One request."""
        found = self.answers.embed(documents, tower)
        lap("request")
        return found

    def first(self, pool: Pool, tower: Tower) -> WarmUp:
        """Of whole requests, when it is asked for first."""
        if tower not in self._first:
            self._first[tower] = warm_up(lambda: self.embed(pool.documents[:1], tower))
        return self._first[tower]

    def close(self) -> None:
        """End connections."""
        self.answers.close()


def opened(file: bytes) -> "Image.Image":
    """A fully read PIL image."""
    from PIL import Image

    image = Image.open(io.BytesIO(file))
    image.load()
    return image


def subject(key: Key, subjects: Subjects, golden: Golden) -> Subject:
    """Open it; raises CannotRun or BuildFailed with the reason."""
    return CellSubject(key, subjects, golden) if isinstance(key, Cell) else ServiceSubject(key, subjects, golden)
