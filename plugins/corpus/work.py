"""The work on one part, in any process: a callable that keeps its encoders, from a part's images to a finished file's bytes."""

import io
from typing import Any, TypedDict

import numpy as np

from fixtures.machine.devices import kind_of_processor
from plugins.corpus.encoded import encoders_of
from plugins.corpus.found import Queries, compare
from plugins.corpus.plan import Plan
from plugins.corpus.sources import Source


class Task(TypedDict):
    """A part: its number, its first image's place in the corpus, and its images."""

    number: int
    start: int
    source: Source


class Result(TypedDict):
    """A part's file."""

    number: int
    content: bytes


class Encode:
    """Vectors of the queries of a part: an .npz file with an array [N, D] for each cell, "" for the wanted ones."""

    def __init__(self, plan: Plan) -> None:
        self.encoders = encoders_of(plan)

    def __call__(self, task: Task) -> Result:
        """Encode; raises BadInput."""
        encoded, content = self.encoders.encode(task["source"]), io.BytesIO()
        rows: dict[str, Any] = {cell or "wanted": encoded.filled(cell, self.encoders.width) for cell in ("", *encoded.found)}
        np.savez(content, **rows)
        return {"number": task["number"], "content": content.getvalue()}


class Compare:
    """What a part shows: the file of a Found."""

    def __init__(self, plan: Plan, queries: Queries) -> None:
        self.encoders, self.queries, self.round_off = encoders_of(plan), queries, plan.round_off

    def __call__(self, task: Task) -> Result:
        """Encode and compare; raises BadInput."""
        encoded = self.encoders.encode(task["source"])
        found = compare(encoded, task["start"], self.queries, self.round_off, kind_of_processor())
        return {"number": task["number"], "content": found.to_bytes()}
