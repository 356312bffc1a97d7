"""`add_documents`: milliseconds a document by client batch size, where they go, and whether the right vectors are stored."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from typing_extensions import TypedDict

from fixtures.capability import Array, Tower
from plugins.measures.latency.paired import no_garbage_collection
from plugins.measures.latency.steady import WINDOW, warm_up
from plugins.measures.vectors.metrics import normalised
from suites.studies.serving.documents import OTHERS, Documents, Lap, Pool, Subject, untimed
from suites.studies.serving.image_server import download, image_server

Read = Callable[[Sequence[int]], Documents]  # the pool's documents of these rows
FAR = 1e9  # JSON has no infinity
SOURCES: dict[Tower, tuple[str, ...]] = {"image": ("files", "HTTP"), "text": ("memory",)}


class Equal(TypedDict):
    """What came out of the index, beside the vectors of requests of one document."""

    compared: int
    same_bits: int
    worst_share: float  # of the allowed cosine distance; FAR for a vector that is not finite
    says: str
    broken: bool
    declared: bool  # the cell declares that a vector depends on its batch


class Row(TypedDict):
    """One batch size; milliseconds a document. Medians of the last batches, and `first` of the first one."""

    subject: str
    tower: Tower
    source: str
    batch: int
    first: float
    steady: float
    batches_to_steady: int
    batches: int
    stages: dict[str, float]
    equal: Equal


class Found(TypedDict):
    """Of one subject; `first` has the milliseconds of its first request of one document, and requests until it was steady."""

    first: dict[Tower, dict[str, float]]
    rows: list[Row]


class Index:
    """A flat index in memory: an id and a unit vector a document; its room is doubled when it is full."""

    def __init__(self, width: int) -> None:
        self.ids: list[int] = []
        self._rows = np.zeros((64, width), np.float32)

    def add(self, ids: Sequence[int], vectors: Array) -> None:
        """Store vectors [N, D] under N ids."""
        end = len(self.ids) + len(ids)
        while end > len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        self._rows[len(self.ids) : end] = normalised(vectors)
        self.ids += ids

    @property
    def vectors(self) -> Array:
        """All stored vectors, float32 [N, D], in the order of `ids`."""
        return self._rows[: len(self.ids)]


class Stages:
    """Milliseconds a document of each stage, by batch."""

    def __init__(self) -> None:
        self.batches: list[dict[str, float]] = []

    def begin(self) -> Lap:
        """A new batch; its laps."""
        current: dict[str, float] = defaultdict(float)
        self.batches.append(current)
        self._since = time.perf_counter()

        def lap(name: str) -> None:
            now = time.perf_counter()
            current[name] += 1e3 * (now - self._since)
            self._since = now

        return lap

    def medians(self, documents: int) -> dict[str, float]:
        """Of the last WINDOW batches, a document."""
        last = self.batches[-WINDOW:]
        return {name: float(np.median([batch[name] for batch in last])) / documents for name in last[-1]}


def add_documents(subject: Subject, index: Index, rows: Sequence[int], read: Read, tower: Tower, lap: Lap = untimed) -> None:
    """Read one client batch, embed it in requests of at most the subject's `max_batch`, and store it under `rows` as ids."""
    documents = read(rows)
    lap("read")
    most = subject.max_batch or len(rows)
    parts = [subject.embed(documents[i : i + most], tower, lap) for i in range(0, len(rows), most)]
    index.add(rows, np.concatenate(parts))
    lap("index")


def reader(pool: Pool, source: str, folder: Path, address: str) -> Read:
    """How the documents of a pool are read: from files, over HTTP, or from memory."""
    if source == "files":
        return lambda rows: [(folder / pool.names[row]).read_bytes() for row in rows]
    if source == "HTTP":
        return lambda rows: [download(address, pool.names[row]) for row in rows]
    return lambda rows: [pool.documents[row] for row in rows]


def indexed(
    subject: Subject,
    pools: Mapping[Tower, Pool],
    folder: Path,
    sizes: Sequence[int],
    seconds: float,
    step: Callable[[str], None],
) -> Found:
    """A row for each tower, source and batch size, each measured for about `seconds`; images' files lie in `folder`."""
    found = Found(first={}, rows=[])
    with image_server(folder) as address:
        for tower, documents in pools.items():
            found["first"][tower] = subject.first(documents, tower).figures
            subject.alone(documents, tower)
            for source in SOURCES[tower]:
                read = reader(documents, source, folder, address)
                for size in sizes:
                    step(f"indexing {subject.name}: {tower}s from {source}, batches of {size}")
                    found["rows"].append(measured(subject, documents, read, tower, source, size, seconds))
    return found


def measured(subject: Subject, pool: Pool, read: Read, tower: Tower, source: str, size: int, seconds: float) -> Row:
    """Index batch after batch into a new index until that is steady or the time is over, then look at what it holds."""
    index, stages, sent = Index(subject.golden.image.shape[1]), Stages(), 0

    def batch() -> None:
        nonlocal sent
        rows = [(sent + i) % len(pool.names) for i in range(size)]
        sent += size
        add_documents(subject, index, rows, read, tower, stages.begin())

    with no_garbage_collection():
        found = warm_up(batch, seconds)
    return {
        "subject": subject.name,
        "tower": tower,
        "source": source,
        "batch": size,
        "first": found.first_call_ms / size,
        "steady": found.steady_ms / size,
        "batches_to_steady": found.calls_to_steady,
        "batches": len(stages.batches),
        "stages": stages.medians(size),
        "equal": equal(subject, index, pool, tower),
    }


def equal(subject: Subject, index: Index, pool: Pool, tower: Tower) -> Equal:
    """Every stored vector beside its document's own."""
    found = subject.beside_alone(index.vectors, index.ids, pool, tower)
    alone = np.asarray(normalised(subject.alone(pool, tower)), np.float32)[index.ids]
    return {
        "compared": len(index.ids),
        "same_bits": int((index.vectors == alone).all(axis=1).sum()),
        "worst_share": min(FAR, float(found.shares.max())),
        "says": str(found),
        "broken": not found,
        "declared": subject.declares(OTHERS, tower),
    }
