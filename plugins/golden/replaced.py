"""The golden data that an update replaces: read once, compared with the new ones, and kept in part."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fixtures import PYTEST
from fixtures.capability import Array, Tower
from fixtures.errors import BadInput
from plugins.golden.on_device import of_devices
from plugins.golden.verified import DATA_SET, damaged, folder, manifest_in, names_of, others, tolerances_in, vectors_in
from plugins.measures.vectors.metrics import cosine_distance
from plugins.subjects import Subjects


@dataclass(frozen=True)
class Replaced:
    """Golden data as the update finds them; empty if there are none that can be read."""

    about: tuple[str, ...]  # what to say of them, a line each
    vectors: Mapping[str, Array] = field(default_factory=dict)  # by tower [N, D], if their rows are the inputs in use
    tables: Mapping[str, str] = field(default_factory=dict)  # by device: its tolerances, if they still hold
    devices: Mapping[str, Any] = field(default_factory=dict)  # what the manifest says of them

    @classmethod
    def of(cls, subjects: Subjects) -> "Replaced":
        """Read the model's golden data for this data set."""
        where = folder(subjects)
        if not where.exists():
            return cls(("there were none before",))
        try:
            if trouble := damaged(where):
                raise BadInput(trouble)
            manifest, vectors, tables = manifest_in(where), vectors_in(where), of_devices(tolerances_in(where))
        except BadInput as reason:
            return cls((f"not compared with the previous ones: {reason}",))
        changed = {what: f"{then[:12]}… then, {now[:12]}… now" for what, then, now in others(manifest, subjects)}
        about = [f"the previous ones were made from other {what} (SHA-256 {hashes})" for what, hashes in changed.items()]
        if DATA_SET in changed:
            about.append("vectors are not compared with the previous ones, whose rows are of other inputs")
            vectors = {}
        if not changed:
            return cls(tuple(about), vectors, tables, manifest.get("devices", {}))
        about += [
            f"tolerances of {device} are left out, because they hold for the previous {', '.join(changed)} alone: "
            f"{PYTEST} --update-golden --device {device} measures them anew"
            for device in tables
        ]
        return cls(tuple(about), vectors)

    def beside(self, new: Mapping[Tower, Array], subjects: Subjects) -> Iterator[str]:
        """What to say of the replaced data, then how far each tower's new vectors [N, D] are from them."""
        yield from self.about
        for tower, rows in new.items():
            if tower not in self.vectors:
                continue
            before = self.vectors[tower]
            if before.shape != rows.shape:
                yield f"{tower} vectors are not compared: they had {before.shape[1]} numbers each, and have {rows.shape[1]} now"
                continue
            distances = cosine_distance(rows, before)
            worst = names_of(subjects, tower)[int(distances.argmax())]
            yield f"{tower} vectors moved by a cosine distance of at most {distances.max():.2g} ({worst})"
