"""A service's answers for the whole data set, each document embedded once, beside golden's vectors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from fixtures.capability import Array, Tower
from fixtures.cells import EncoderKey
from fixtures.datasets import Trait
from fixtures.errors import Unavailable
from fixtures.machine.versions import require_usable
from fixtures.progress import ticking
from fixtures.registry import backend
from fixtures.services import DocumentEncoder, Service
from fixtures.truth import REFERENCE
from plugins.cells.form import formed
from plugins.cells.given_back import BuildFailed, CannotRun
from plugins.cells.sizes import batches
from plugins.cells.traits import TRAIT_PROMISES
from plugins.golden.verified import Golden, names_of
from plugins.measures.vectors.drift import Drift
from plugins.measures.vectors.metrics import METRICS, add_angles
from plugins.subjects import Subjects


@dataclass(frozen=True)
class Answers:
    """One service. `rows` of the data set's images are of the types that it takes."""

    subjects: Subjects
    golden: Golden
    key: EncoderKey

    @property
    def service(self) -> Service:
        """What it declares."""
        return cast(Service, backend(self.key.backend))

    @cached_property
    def encoder(self) -> DocumentEncoder:
        """The service itself; raises CannotRun with the reason, or BuildFailed."""
        try:
            require_usable(self.service, self.key.base, self.key.device)
            with ticking(f"opening {self.key}"):
                return self.service.load(self.subjects.model, self.key.precision, self.key.device)
        except Unavailable as reason:
            raise CannotRun(f"{self.key}: {reason}") from None
        except Exception as error:
            raise BuildFailed(f"{self.key} could not be opened: {type(error).__name__}: {error}") from None

    def require(self, tower: Tower) -> None:
        """Raise CannotRun if the service does not have this tower."""
        if tower not in self.service.towers:
            raise CannotRun(f"{self.key}: it has no {tower} tower (`towers` of {type(self.service).__name__})")

    @cached_property
    def rows(self) -> list[int]:
        """Of the data set's images: the types that the service takes, without kinds on which it declares to differ."""
        self.require("image")
        known, names = self.key.known_failures("image"), self.subjects.dataset.images
        excused: set[Trait] = {trait for trait, promise in TRAIT_PROMISES.items() if trait != "opaque" and promise in known}
        taken = [row for row, name in enumerate(names) if Path(name).suffix.lower() in self.service.image_types]
        found = [row for row in taken if excused.isdisjoint(self.subjects.traits(names[row]))]
        if not found:
            raise CannotRun(
                f"{self.key}: the data set has no image of a type that it takes ({' '.join(self.service.image_types)})"
            )
        return found

    def file(self, name: str) -> bytes:
        """The bytes of an image file."""
        return Path(self.subjects.dataset.path(name)).read_bytes()

    @cached_property
    def documents(self) -> dict[Tower, list[bytes | str]]:
        """All files that are judged, and all texts, of the service's towers."""
        names, found = self.subjects.dataset.images, dict[Tower, list[bytes | str]]()
        if "image" in self.service.towers:
            found["image"] = [self.file(names[row]) for row in self.rows]
        if "text" in self.service.towers:
            found["text"] = [*self.subjects.dataset.texts]
        return found

    def embed(self, documents: Sequence[bytes | str], tower: Tower) -> Array:
        """One request; its result must be float32 or float64 [N, D]. Raises CannotRun if there is no such tower."""
        self.require(tower)
        call: Callable[[Any], Array] = self.encoder.embed_texts if tower == "text" else self.encoder.embed_images
        return formed(np.asarray(call(documents), np.float32), len(documents), self.golden.image.shape[1], tower)

    @cached_property
    def vectors(self) -> dict[Tower, Array]:
        """Of all documents, in requests of many sizes."""
        most = self.service.max_batch or 1 << 30
        found: dict[Tower, Array] = {}
        for tower, documents in self.documents.items():
            parts = [documents[part] for part in batches(len(documents))]
            parts = [part[i : i + most] for part in parts for i in range(0, len(part), most)]
            with ticking(f"{self.key}: {len(documents)} {tower}s"):
                found[tower] = np.concatenate([self.embed(part, tower) for part in parts])
        return found

    def drift(self, tower: Tower) -> Drift:
        """The service's vectors beside golden's, with the limits of its precision and its preprocessing."""
        self.require(tower)
        names = names_of(self.subjects, tower)
        rows = self.rows if tower == "image" else list(range(len(names)))
        chosen = [names[row] for row in rows]
        limits = {metric: self.golden.limits(self.key.tolerance, tower, metric, chosen) for metric in METRICS}
        if tower == "image" and self.service.preprocessing != REFERENCE:
            budget = self.golden.budget(self.service.preprocessing, "cosine_distance")
            limits["cosine_distance"] = add_angles(limits["cosine_distance"], budget)
        wanted = self.golden.image[rows] if tower == "image" else self.golden.text
        found = self.vectors[tower]
        return Drift(found, found, wanted, chosen, limits)

    def close(self) -> None:
        """Close the service if it was opened."""
        if "encoder" in vars(self):
            self.encoder.close()
