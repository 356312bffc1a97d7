"""Vectors of images in the reference and in each cell, from the bytes of files: what a worker does."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np

from fixtures.capability import Array, Encoder
from fixtures.cells import Cell, EncoderKey
from fixtures.errors import BadInput, Unavailable, in_one_line
from fixtures.images import QUIET
from fixtures.machine.versions import require_usable
from fixtures.registry import backends, preprocessors
from fixtures.truth import REFERENCE
from plugins.cells.form import BrokenForm, formed
from plugins.cells.pixels import checked
from plugins.corpus.plan import TOWER, Plan, subjects_of
from plugins.corpus.sources import Source
from plugins.measures.vectors.recall import Ints
from plugins.subjects import built

LONGEST = 200  # characters of a reason
Pixels = dict[str, Array | str]  # by preprocessor, float32 [3, R, R]; or the reason why it has none


@dataclass
class Encoded:
    """Vectors of the images that have a wanted vector, float32 [N, D]; a row is NaN where a cell could not read the image."""

    size: int  # of the source
    names: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)  # places in the source
    wanted: list[Array] = field(default_factory=list)
    found: dict[str, list[Array]] = field(default_factory=dict)  # by cell
    unreadable: list[tuple[int, str]] = field(default_factory=list)  # place, and name with the reason
    missing: list[tuple[int, str]] = field(default_factory=list)  # the store has no vector of this id

    @property
    def places(self) -> Ints:
        """Places in the source [N]."""
        return np.array(self.rows, np.int64)

    def matrix(self, cell: str, width: int) -> Array:
        """A cell's vectors, or the wanted ones for "" [N, D]."""
        rows = self.found[cell] if cell else self.wanted
        return np.stack(rows) if rows else np.empty((0, width), np.float32)

    def filled(self, cell: str, width: int) -> Array:
        """The same for all images of the source [size, D]; NaN where there is no wanted vector."""
        rows = np.full((self.size, width), np.nan, np.float32)
        rows[self.places] = self.matrix(cell, width)
        return rows


class Encoders:
    """The reference and all cells of a plan, built once in a process, each with as many threads as the plan says."""

    def __init__(self, plan: Plan) -> None:
        """Build them; raises Unavailable for a package that is missing, and BadInput for an encoder that cannot be built."""
        import torch

        torch.set_num_threads(plan.threads)
        self.plan, self.model = plan, subjects_of(plan.model, plan.pretrained).model
        self.cells = plan.cells()
        self.geometry, self.width = self.model.geometry, self.model.embed_dim
        keys = {cell.encoder for cell in self.cells}
        if plan.store is None:
            self.reference = EncoderKey(self.model.id, "torch-eager", "fp32", "cpu")
            keys.add(self.reference)
        for key in sorted(keys, key=str):
            require_usable(backends()[key.backend], key.base, key.device)
        self.encoders = {key: self._built(key) for key in sorted(keys, key=str)}
        used = {cell.preprocessor: None for cell in self.cells} | ({REFERENCE: None} if plan.store is None else {})
        for name in used:
            preprocessors()[name].available()
        self.preprocessors = [preprocessors()[name] for name in used]

    def _built(self, key: EncoderKey) -> Encoder:
        try:
            return built(key, self.model)
        except (BadInput, Unavailable):
            raise
        except Exception as error:  # a backend raises anything
            raise BadInput(f"{key} could not be built: {in_one_line(error)}") from error

    def encode(self, source: Source) -> Encoded:
        """Encode all images of the source; one that cannot be read costs itself, with its reason.

        Raises BadInput, for vectors of another form too.
        """
        encoded = Encoded(len(source), found={str(cell): [] for cell in self.cells})
        stored = self._stored(source)
        with tempfile.TemporaryDirectory(prefix="clip-corpus-") as place:
            images = self._readable(source, stored, encoded, Path(place) / "image")
            while batch := list(islice(images, self.plan.batch)):
                encoded.rows += [row for row, _, _ in batch]
                encoded.names += [name for _, name, _ in batch]
                encoded.wanted += [
                    self._call(self.reference, [pixels[REFERENCE]])[0] if stored is None else stored[name]
                    for _, name, pixels in batch
                ]
                for cell in self.cells:
                    encoded.found[str(cell)] += self._of_cell(cell, [pixels[cell.preprocessor] for _, _, pixels in batch])
        return encoded

    def _stored(self, source: Source) -> dict[str, Array] | None:
        if self.plan.store is None:
            return None
        found = self.plan.store.vectors(source.ids())
        if found and (width := len(next(iter(found.values())))) != self.width:
            raise BadInput(
                f"{self.plan.stored} has vectors of {width} numbers, and {self.model.id} gives {self.width}: expected the "
                "model that the vectors are of; name it with --model and --pretrained"
            )
        for name, vector in found.items():
            if not np.isfinite(vector).all() or not vector.any():
                raise BadInput(
                    f"{self.plan.stored} has no direction for {name!r}, whose vector has NaN or Inf, or zeros alone: expected "
                    "finite numbers; embed that image anew, or remove its row"
                )
        return found

    def _readable(
        self, source: Source, stored: dict[str, Array] | None, encoded: Encoded, file: Path
    ) -> Iterator[tuple[int, str, Pixels]]:
        """Place, name and pixels of each image that has a wanted vector; the others are noted."""
        for row, (name, content) in enumerate(source.read()):
            if stored is not None and name not in stored:
                encoded.missing.append((row, name))
                continue
            pixels = self._pixels(content, file) if isinstance(content, bytes) else {}
            reason = content if isinstance(content, str) else pixels[REFERENCE] if stored is None else ""
            if isinstance(reason, str) and reason:
                encoded.unreadable.append((row, f"{name}: {reason}"))
                continue
            yield row, name, pixels

    def _of_cell(self, cell: Cell, pixels: Sequence[Array | str]) -> list[Array]:
        """Vectors [D], NaN for pixels that are a reason instead."""
        rows = np.full((len(pixels), self.width), np.nan, np.float32)
        given = {i: each for i, each in enumerate(pixels) if not isinstance(each, str)}
        if given:
            rows[list(given)] = self._call(cell.encoder, list(given.values()))
        return list(rows)

    def _call(self, key: EncoderKey, pixels: Sequence[Array | str]) -> Array:
        batch = np.stack(pixels)
        try:
            return formed(self.encoders[key].encode(batch, TOWER), len(batch), self.width, TOWER).copy()
        except BrokenForm as found:
            raise BadInput(f"{key} gave {found}") from None

    def _pixels(self, content: bytes, file: Path) -> Pixels:
        """By preprocessor; each decodes from a file, as it does in service."""
        file.write_bytes(content)
        found: Pixels = {}
        for preprocessor in self.preprocessors:
            try:
                with QUIET:
                    found[preprocessor.name] = checked(preprocessor(str(file), self.geometry), preprocessor, self.geometry)
            except Exception as error:  # decoders raise anything on a damaged file
                found[preprocessor.name] = (
                    " ".join(str(error).replace(str(file), "it").split())[:LONGEST] or type(error).__name__
                )
        return found


encoders_of = cache(Encoders)
