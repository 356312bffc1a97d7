"""A bundle: vectors of a model's golden inputs, which one machine stores and another one compares with.

A safetensors file. "ENCODER/image" is float32 [P, D], one row for each golden image, and "ENCODER/text" float32 [Q, D], one for
each text of the data set, both raw. A file with the names "image" and "text" alone is one encoder's, as another language may
write it. The metadata say which inputs and weights they belong to; what they leave out is not checked.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fixtures.capability import TOWERS, Array, Tower
from fixtures.cells import EncoderKey
from fixtures.errors import BadInput, Unavailable, nearest
from fixtures.storage.atomic import write_bytes
from plugins.golden.verified import Golden
from plugins.subjects import Subjects

FORM = "1"


@dataclass(frozen=True)
class Stored:
    """One encoder's vectors in a bundle."""

    name: str  # its id; the file's name if the file has one encoder without an id
    precision: str
    vectors: Mapping[str, Array]  # by tower


def belongs_to(subjects: Subjects, golden: Golden) -> dict[str, str]:
    """The metadata that two bundles of the same inputs and weights share."""
    return {
        "model": subjects.model.id,
        "weights_sha256": subjects.model.weights_sha256,
        "pixels_sha256": hashlib.sha256(golden.pixels.tobytes()).hexdigest(),
        "tokens_sha256": hashlib.sha256(subjects.tokens.tobytes()).hexdigest(),
    }


def write(target: Path, vectors: Mapping[str, Array], precisions: Mapping[str, str], about: Mapping[str, str]) -> None:
    """Write vectors by "ENCODER/tower", and the precision of each encoder; the file is replaced whole."""
    from safetensors.numpy import save

    metadata = {"form": FORM, "precisions": json.dumps(precisions), **about}
    write_bytes(target, save({name: np.ascontiguousarray(rows) for name, rows in vectors.items()}, metadata))


def read(source: Path, expected: Mapping[str, str], rows: Mapping[str, int]) -> list[Stored]:
    """The encoders of a bundle; raises BadInput for one of other inputs or weights, and for anything that is no bundle."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(source, "numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{source} is no bundle of vectors ({error}): make one with --export-vectors=FILE") from None
    for name, wanted in expected.items():
        if metadata.get(name, wanted) != wanted:
            raise BadInput(f"{source} has {name} {metadata[name]}, expected {wanted}: export it anew, with this model and data")
    for name, found in tensors.items():
        tower = name.rpartition("/")[2]
        if tower not in TOWERS or found.ndim != 2 or len(found) != rows[tower] or found.dtype != np.float32:
            form = f"{found.dtype} {list(found.shape)}"
            want = " and ".join(f"'{tower}' float32 [{n}, D]" for tower, n in rows.items())
            raise BadInput(f"{source} has '{name}' {form}, expected {want}, after ENCODER/ if there are several encoders")
    precisions = json.loads(metadata.get("precisions", "{}"))
    ids = dict.fromkeys(name.rpartition("/")[0] for name in tensors)
    return [
        Stored(
            name or source.name,
            precisions.get(name, metadata.get("precision", "fp32")),
            {tower: tensors[key] for tower in TOWERS if (key := f"{name}/{tower}" if name else tower) in tensors},
        )
        for name in ids
    ]


def of(key: EncoderKey, stored: Sequence[Stored], tower: Tower, source: Path) -> Stored:
    """The one to compare an encoder with: of its own name, or else the only one, or else its backend's and precision's on
    another device. Raises Unavailable if there is none."""
    able = [each for each in stored if tower in each.vectors]
    same, alone = [each for each in able if each.name == str(key)], able if len(stored) == 1 else []
    for each in [*same, *alone, *(each for each in able if same_but_device(each.name, key))]:
        return each
    known = nearest(str(key), [each.name for each in stored])
    raise Unavailable(f"{source.name} has no {tower} vectors to compare {key} with: {known}")


def same_but_device(name: str, key: EncoderKey) -> bool:
    """True for the id of this encoder on any device."""
    return name.rpartition("-")[0] == str(key).rpartition("-")[0]
