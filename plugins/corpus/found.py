"""What was found in a part of a corpus, and in any number of parts together: merging them in any order gives the same."""

import heapq
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fixtures.capability import Array
from plugins.corpus.encoded import Encoded
from plugins.measures.corpus.answers import Firsts, finds_itself, firsts
from plugins.measures.corpus.distribution import Distribution
from plugins.measures.vectors.metrics import cosine_distance
from plugins.measures.vectors.mixtures import GOLDEN, MIXTURES, Mixture
from plugins.measures.vectors.recall import Ints

NAMED = 20  # names that are kept of what is counted, the first in the corpus
WORST = 24  # inputs with the largest drift that are kept for each cell


@dataclass
class Names:
    """A number of images, and the first of them: place in the corpus, and name."""

    count: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)

    def add(self, more: list[tuple[int, str]], count: int | None = None) -> None:
        """Count more of them; `count` if there are more than are named."""
        self.count += len(more) if count is None else count
        self.first = heapq.nsmallest(NAMED, [*self.first, *more])


@dataclass
class Cell:
    """One cell beside the reference."""

    drift: Distribution = field(default_factory=Distribution)
    beyond: int = 0  # inputs whose drift is beyond fp32 round-off
    failed: Names = field(default_factory=Names)  # not read by the cell's preprocessor, or no finite vector
    moved: Names = field(default_factory=Names)  # nearer to another image's wanted vector than to their own
    hits: dict[Mixture, tuple[int, int]] = field(default_factory=lambda: dict.fromkeys(MIXTURES, (0, 0)))  # lost, won
    worst: list[tuple[float, int, str]] = field(default_factory=list)  # minus drift, place, name
    answers: dict[Mixture, Firsts] = field(default_factory=dict)

    def merge(self, other: "Cell") -> None:
        """Add what was found elsewhere."""
        self.drift.merge(other.drift)
        self.beyond += other.beyond
        self.failed.add(other.failed.first, other.failed.count)
        self.moved.add(other.moved.first, other.moved.count)
        self.hits = {m: (lost + other.hits[m][0], won + other.hits[m][1]) for m, (lost, won) in self.hits.items()}
        self.worst = heapq.nsmallest(WORST, [*self.worst, *other.worst])
        self.answers |= {m: self.answers[m].merged(found) if m in self.answers else found for m, found in other.answers.items()}


@dataclass
class Found:
    """All cells, and the images that were compared with none."""

    compared: int = 0
    unreadable: Names = field(default_factory=Names)  # by the reference, or by anything: name and reason
    missing: Names = field(default_factory=Names)  # no stored vector
    processors: set[str] = field(default_factory=set)  # kinds of them that computed it
    answers: Firsts | None = None  # golden's
    cells: dict[str, Cell] = field(default_factory=dict)

    def merge(self, other: "Found") -> None:
        """Add what was found elsewhere."""
        self.compared += other.compared
        self.unreadable.add(other.unreadable.first, other.unreadable.count)
        self.missing.add(other.missing.first, other.missing.count)
        self.processors |= other.processors
        if other.answers is not None:
            self.answers = other.answers if self.answers is None else self.answers.merged(other.answers)
        for name, cell in other.cells.items():
            self.cells.setdefault(name, Cell()).merge(cell)

    def to_bytes(self) -> bytes:
        """A safetensors file: numbers and names as JSON in its metadata, sketches and answers as arrays."""
        from safetensors.numpy import save

        arrays: dict[str, Any] = {}
        for name, cell in self.cells.items():
            arrays[f"{name}/drift"] = np.frombuffer(cell.drift.to_bytes(), np.uint8)
            for mixture, found in cell.answers.items():
                arrays |= _answers(f"{name}/{_text(mixture)}", found)
        if self.answers is not None:
            arrays |= _answers("golden", self.answers)
        said = {
            "compared": self.compared,
            "unreadable": vars(self.unreadable),
            "missing": vars(self.missing),
            "processors": sorted(self.processors),
            "cells": {name: _said(cell) for name, cell in self.cells.items()},
        }
        return bytes(save(arrays, {"found": json.dumps(said)}))

    @classmethod
    def from_bytes(cls, content: bytes) -> "Found":
        """What `to_bytes` wrote; raises ValueError or KeyError for anything else."""
        from safetensors.numpy import load

        arrays = load(content)
        length = int.from_bytes(content[:8], "little")  # of the header, by the format's definition
        said = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["found"])
        found = cls(said["compared"], _names(said["unreadable"]), _names(said["missing"]), {*said["processors"]})
        found.answers = _firsts("golden", arrays)
        for name, row in said["cells"].items():
            found.cells[name] = Cell(
                Distribution.from_bytes(arrays[f"{name}/drift"].tobytes(), row["largest"]),
                row["beyond"],
                _names(row["failed"]),
                _names(row["moved"]),
                {m: tuple(row["hits"][_text(m)]) for m in MIXTURES},
                [tuple(each) for each in row["worst"]],
                {m: answers for m in MIXTURES if (answers := _firsts(f"{name}/{_text(m)}", arrays))},
            )
        return found


def _text(mixture: Mixture) -> str:
    return "+".join(mixture)


def _answers(name: str, found: Firsts) -> dict[str, Any]:
    return {f"{name}/places": found.places, f"{name}/scores": found.scores}


def _firsts(name: str, arrays: Mapping[str, Any]) -> Firsts | None:
    return Firsts(arrays[f"{name}/places"], arrays[f"{name}/scores"]) if f"{name}/places" in arrays else None


def _names(row: Mapping[str, Any]) -> Names:
    return Names(row["count"], [(place, name) for place, name in row["first"]])


def _said(cell: Cell) -> dict[str, Any]:
    return {
        "largest": cell.drift.largest,
        "beyond": cell.beyond,
        "failed": vars(cell.failed),
        "moved": vars(cell.moved),
        "hits": {_text(mixture): counts for mixture, counts in cell.hits.items()},
        "worst": cell.worst,
    }


@dataclass(frozen=True)
class Queries:
    """A sample of the corpus whose answers are looked for in all of it: places [Q], and vectors [Q, D] by cell, "" wanted."""

    places: Ints
    vectors: Mapping[str, Array]


def compare(encoded: Encoded, start: int, queries: Queries, round_off: float, processor: str) -> Found:
    """What the vectors of one part show, whose first image stands at `start` in the corpus."""
    width = queries.vectors[""].shape[1]
    wanted, places = encoded.matrix("", width), encoded.places + start
    found = Found(len(places), processors={processor})
    found.unreadable.add([(start + row, text) for row, text in encoded.unreadable])
    found.missing.add([(start + row, name) for row, name in encoded.missing])
    index = {cell: encoded.filled(cell, width) for cell in ("", *encoded.found)}
    own = finds_itself(wanted, wanted)

    def answers(images: str, texts: str) -> Firsts:
        return firsts(queries.vectors[texts], queries.places, index[images], start)

    found.answers = answers("", "")
    for name in encoded.found:
        vectors, cell = encoded.matrix(name, width), Cell()
        drift = cosine_distance(vectors, wanted)
        finite = np.isfinite(drift)
        cell.drift.add(drift[finite])
        cell.beyond = int((drift[finite] > round_off).sum())
        cell.failed.add([(int(places[i]), encoded.names[i]) for i in np.flatnonzero(~finite)])
        of = {"golden": "", "cell": name}
        for mixture in MIXTURES:
            images, asks = (encoded.matrix(of[side], width) for side in mixture)
            hits = own if mixture == GOLDEN else finds_itself(asks, images)
            cell.hits[mixture] = int((own & ~hits).sum()), int((~own & hits).sum())
            if mixture == ("golden", "cell"):
                cell.moved.add([(int(places[i]), encoded.names[i]) for i in np.flatnonzero(own & ~hits & finite)])
            if mixture != GOLDEN:
                cell.answers[mixture] = answers(*(of[side] for side in mixture))
        cell.worst = heapq.nsmallest(
            WORST, [(-float(drift[i]), int(places[i]), encoded.names[i]) for i in np.flatnonzero(finite)]
        )
        found.cells[name] = cell
    return found
