"""Measures every part that is installed: wholes, decoders, resizers, then decoders with resizers on photographs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fixtures.capability import Array, installed
from fixtures.progress import counted
from fixtures.registry import backends
from plugins.golden.verified import load_golden
from plugins.measures.vectors.metrics import absolute_difference
from plugins.subjects import Subjects
from suites.studies.preprocessors.decoders import DECODERS, JPEG_ONLY
from suites.studies.preprocessors.files import CAMERA, DOCUMENTS, JPEG, OPAQUE, PNG, of_dataset, of_photographs, opaque
from suites.studies.preprocessors.measure import (
    Encode,
    Wanted,
    decode_ratio,
    decodings,
    judged,
    quality,
    ratio,
    resize_ratio,
    resized,
    wanted,
)
from suites.studies.preprocessors.parts import Part
from suites.studies.preprocessors.resizers import RESIZERS, WHOLES

LIBRARIES = ("pillow", "torch", "torchvision", "transformers", "opencv-python-headless", "simplejpeg", "pyvips", "numba",
             "hf-processors-rs")  # fmt: skip
BATCH = 32  # images that the golden model encodes at once
Row = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    scenes: int
    photographs: int
    pairs: int  # of blocks, for each ratio


class Study:
    """The parts that can run here, the files, and the truth of both galleries."""

    def __init__(self, sizes: Sizes, folder: Path) -> None:
        subjects = Subjects()
        self.geometry, self.pairs, dataset = subjects.model.geometry, sizes.pairs, subjects.dataset
        encoder, texts = backends()["torch-eager"].load(subjects.model, "fp32", "cpu"), load_golden(subjects).text
        self.encode: Encode = lambda pixels: np.concatenate(
            [encoder.encode_image(pixels[i : i + BATCH]) for i in range(0, len(pixels), BATCH)]
        )
        galleries = of_dataset(dataset, sizes.scenes), of_photographs(dataset, sizes.photographs, folder)
        self.scenes, self.photographs = (wanted(each, self.geometry, self.encode, texts) for each in galleries)
        self.files = {name: dataset.path(file) for name, file in DOCUMENTS.items()}
        self.files |= {OPAQUE: opaque(self.files[PNG], folder), CAMERA: galleries[1].paths[0]}
        every = {"decoder": DECODERS, "resizer": RESIZERS, "whole": WHOLES}
        self.missing = {f"{kind} {part.name}": part.missing() for kind, parts in every.items() for part in parts}
        self.decoders, self.resizers, self.wholes = (
            [part for part in parts if not self.missing[f"{kind} {part.name}"]] for kind, parts in every.items()
        )

    def able(self, decoder: Part) -> dict[str, str]:
        """The files that a decoder is for."""
        return {name: path for name, path in self.files.items() if path.endswith(".jpg") or decoder.name not in JPEG_ONLY}

    def of_decoders(self) -> list[Row]:
        """Times of each, and which have equal pixels of all photographs."""
        groups = decodings(self.decoders, self.photographs.gallery, self.geometry)
        letters = {part.name: chr(ord("A") + i) for i, parts in enumerate(groups.values()) for part in parts}
        return [
            {
                "name": part.name,
                "about": part.about,
                "group": letters[part.name],
                "times": {
                    name: decode_ratio(part, self.decoders[0], path, self.geometry, self.pairs)
                    for name, path in self.able(part).items()
                },
            }
            for part in counted("decoders", self.decoders)
        ]

    def of_resizers(self) -> list[Row]:
        """Times and differences on single files as Pillow reads them; differences, drift and recall on the data set."""
        reader, reference = self.decoders[0], self.resizers[0]
        decoded = {name: reader.call(path, self.geometry) for name, path in self.files.items()}
        truth = {name: reference.call(reference.prepared(d), self.geometry) for name, d in decoded.items()}
        found = dict(self._quality(reader, self.scenes))
        rows = []
        for part in counted("resizers", self.resizers):
            own = {name: part.call(part.prepared(d), self.geometry) for name, d in decoded.items()}
            rows.append(
                {
                    "name": part.name,
                    "about": part.about,
                    "times": {n: resize_ratio(part, reference, d, self.geometry, self.pairs) for n, d in decoded.items()},
                    "differences": (beside := {name: absolute_difference(own[name], truth[name]) for name in own}),
                    "quality": found[part.name],
                    "verdict": judged(found[part.name], beside.values()),
                }
            )
        return rows

    def _quality(self, reader: Part, truth: Wanted) -> list[tuple[str, Any]]:
        found = resized(reader, self.resizers, truth.gallery, self.geometry)
        return [(part.name, quality(pixels, truth, self.encode)) for part, pixels in found]

    def of_pairs(self, decoders: Sequence[Row], resizers: Sequence[Row]) -> list[Row]:
        """On photographs: one row for a resizer with all decoders of equal pixels, and what their times add up to.

        Ratios are added, weighted by the reference's own times: each was measured in alternation, in whatever minute.
        """
        before, after = ({row["name"]: row["times"][CAMERA] for row in rows} for rows in (decoders, resizers))
        decode, resize = (next(iter(times.values()))["ms"] for times in (before, after))
        rows = []
        for letter in counted("photographs", sorted({row["group"] for row in decoders})):
            same = [row["name"] for row in decoders if row["group"] == letter]
            reader = next(part for part in self.decoders if part.name == same[0])
            rows += [
                {
                    "resizer": name,
                    "faster": {
                        decoder: (decode + resize) / (decode * before[decoder]["ratio"] + resize * after[name]["ratio"])
                        for decoder in same
                    },
                    "quality": found,
                    "verdict": judged(found),
                }
                for name, found in self._quality(reader, self.photographs)
            ]
        return rows

    def of_wholes(self, decoders: Sequence[Row]) -> list[Row]:
        """From a file to pixels, against the reference and against the fastest decoder alone."""
        reference, rows = self.wholes[0], []
        for part in counted("wholes", self.wholes):
            calls: dict[str, tuple[Callable[[], Array], Callable[[], Array]]] = {
                name: (lambda p=part, f=path: p.call(f, self.geometry), lambda f=path: reference.call(f, self.geometry))  # type: ignore[misc]
                for name, path in self.files.items()
            }
            pixels = np.stack([part.call(path, self.geometry) for path in self.scenes.gallery.paths])
            rows.append(
                {
                    "name": part.name,
                    "about": part.about,
                    "times": {name: ratio(mine, other, self.pairs) for name, (mine, other) in calls.items()},
                    "decoders": {name: self._beside_decoder(calls[name][0], decoders, name) for name in (PNG, JPEG)},
                    "quality": (found := quality(pixels, self.scenes, self.encode)),
                    "verdict": judged(found, [absolute_difference(mine(), other()) for mine, other in calls.values()]),
                }
            )
        return rows

    def _beside_decoder(self, call: Callable[[], Array], decoders: Sequence[Row], file: str) -> Row:
        """The time of a whole preprocessor divided by that of the decoder that reads this file fastest and fully."""
        exact = {row["name"] for row in decoders if row["group"] == decoders[0]["group"] and file in row["times"]}
        fastest = min(exact, key=lambda name: next(r["times"][file]["ratio"] for r in decoders if r["name"] == name))
        part = next(part for part in self.decoders if part.name == fastest)
        return {"decoder": fastest, **ratio(call, lambda: part.call(self.files[file], self.geometry), self.pairs)}


def run(sizes: Sizes, folder: Path) -> Row:
    """Everything, as the page wants it."""
    study = Study(sizes, folder)
    decoders, resizers = study.of_decoders(), study.of_resizers()
    return {
        "versions": {name: version for name in LIBRARIES if (version := installed(name))},
        "scenes": len(study.scenes.gallery.paths),
        "photographs": len(study.photographs.gallery.paths),
        "missing": {name: why for name, why in study.missing.items() if why},
        "wholes": study.of_wholes(decoders),
        "decoders": decoders,
        "resizers": resizers,
        "pairs": study.of_pairs(decoders, resizers),
    }
