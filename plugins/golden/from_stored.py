"""Golden vectors from an index that a team already has: Parquet with an id and a vector for each input of the data set."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fixtures.capability import TOWERS, Array, Tower
from fixtures.errors import BadInput, Unavailable
from plugins.golden.verified import names_of
from plugins.stored.parquet import StoredVectors
from plugins.subjects import Subjects

IDS = {"image": "its name below images/", "text": "the text itself"}


@dataclass(frozen=True)
class FromStored:
    """The towers that a store has, float32 [N, D] in the data set's order; `str` names the file, for the manifest."""

    file: Path
    vectors: Mapping[Tower, Array]

    @classmethod
    def of(cls, file: Path, subjects: Subjects) -> "FromStored":
        """Read all images, and all texts if it has one of them. Raises BadInput."""
        try:
            store = StoredVectors.of(file)
        except Unavailable as reason:
            raise BadInput(str(reason)) from None
        ids: dict[Tower, Sequence[str]] = {"image": subjects.dataset.images, "text": subjects.dataset.texts}
        found = {tower: store.vectors(list(dict.fromkeys(ids[tower])), tower) for tower in TOWERS}
        asked = [tower for tower in TOWERS if found[tower] or tower == "image"]
        return cls(file, {tower: _rows(file, tower, ids[tower], found[tower], subjects) for tower in asked})

    def __str__(self) -> str:
        digest = hashlib.sha256(self.file.read_bytes()).hexdigest()
        return f"stored vectors of {self.file.name} (SHA-256 {digest[:12]}…): {', '.join(self.vectors)}"


def _rows(file: Path, tower: Tower, ids: Sequence[str], found: Mapping[str, Array], subjects: Subjects) -> Array:
    missing = [
        name for name, known in zip(names_of(subjects, tower), (each in found for each in ids), strict=True) if not known
    ]
    if missing:
        raise BadInput(
            f"{file} lacks {len(missing)} of the {len(ids)} {tower}s, the first is {missing[0]}: expected a row for each, "
            f"whose id is {IDS[tower]}"
        )
    rows = np.stack([found[each] for each in ids])
    if rows.shape[1] != subjects.model.embed_dim or not np.isfinite(rows).all():
        what = f"vectors of {rows.shape[1]} numbers" if np.isfinite(rows).all() else "NaN or Inf"
        raise BadInput(f"{file} has {what}: expected {subjects.model.embed_dim} finite numbers, as {subjects.model.id} gives")
    return rows
