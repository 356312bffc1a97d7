"""Pixels, drift, recall and time of a decoder with a resizer, each against the reference on the same files."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from typing_extensions import TypedDict

from fixtures.capability import Array, Geometry
from fixtures.truth import REFERENCE
from plugins.measures.latency.paired import (
    Interval,
    calls_in_a_block,
    clocked,
    fewest,
    interval,
    no_garbage_collection,
    pair,
    timed,
)
from plugins.measures.vectors.metrics import Differences, absolute_difference, cosine_distance
from plugins.measures.vectors.recall import Flips, flips
from suites.studies.preprocessors.files import Gallery
from suites.studies.preprocessors.parts import Decoded, Part, ours

Encode = Callable[[Array], np.ndarray]  # pixels [N, 3, R, R] to vectors [N, D]
CONFIDENCE = 0.95
BUDGET = 2e-4  # mean difference of normalised pixels that the issue of fast_clip allows on any file
NEVER_SMALLER = 10  # characters of a hash: one that stands for equal pixels of a gallery


class Ratio(TypedDict):
    """Time divided by the reference's, with the bounds of its interval; the median milliseconds of the part's own calls."""

    low: float
    ratio: float
    high: float
    ms: float


class Quality(TypedDict):
    """How far pixels are from the reference's, worst file of a gallery; how far vectors; hits lost and won, of n queries."""

    mean_abs: float
    max_abs: float
    drift: float
    lost: int
    won: int
    n: int


@dataclass(frozen=True)
class Wanted:
    """The reference's pixels and vectors of a gallery, and the ranks that they give."""

    gallery: Gallery
    pixels: Array
    vectors: np.ndarray
    texts: np.ndarray


def wanted(gallery: Gallery, geometry: Geometry, encode: Encode, texts: np.ndarray) -> Wanted:
    """The truth of a gallery."""
    whole = ours(REFERENCE)
    pixels = np.stack([whole(path, geometry) for path in gallery.paths])
    return Wanted(gallery, pixels, encode(pixels), texts)


def quality(found: Array, truth: Wanted, encode: Encode) -> Quality:
    """Of pixels [N, 3, R, R] of the whole gallery."""
    rows = [absolute_difference(a, b) for a, b in zip(found, truth.pixels, strict=True)]
    vectors = encode(found)
    hits: Flips = flips(*(truth.gallery.ranks(truth.texts, each) for each in (vectors, truth.vectors)))
    return {
        "mean_abs": max(row["mean_abs"] for row in rows),
        "max_abs": max(row["max_abs"] for row in rows),
        "drift": float(cosine_distance(vectors, truth.vectors).max()),
        "lost": hits.lost,
        "won": hits.won,
        "n": hits.n,
    }


def judged(found: Quality, beside: Iterable[Differences] = ()) -> str:
    """What a user may expect: the same pixels, within BUDGET on every file, the same recall, or less of it.

    `beside` are differences of single files.
    """
    pixels: list[Differences | Quality] = [found, *beside]
    if all(each["max_abs"] == 0 for each in pixels):
        return "same pixels"
    if all(each["mean_abs"] < BUDGET for each in pixels):
        return "within 2e-4"
    return "other pixels" if Flips(found["lost"], found["won"], found["n"]).kept else "recall falls"


def decodings(decoders: Sequence[Part], gallery: Gallery, geometry: Geometry) -> dict[str, list[Part]]:
    """Decoders whose pixels of the gallery are equal, by a hash of these; the first of each group stands for all."""
    groups = dict[str, list[Part]]()
    for decoder in decoders:
        digest = hashlib.sha256()
        for path in gallery.paths:
            digest.update(np.ascontiguousarray(_pixels(decoder, path, geometry)).tobytes())
        groups.setdefault(digest.hexdigest()[:NEVER_SMALLER], []).append(decoder)
    return groups


def _pixels(decoder: Part, path: str, geometry: Geometry) -> np.ndarray:
    return np.asarray(decoder.call(path, geometry))


def resized(decoder: Part, resizers: Sequence[Part], gallery: Gallery, geometry: Geometry) -> Iterator[tuple[Part, Array]]:
    """Each resizer's pixels [N, 3, R, R] of the gallery as this decoder reads it; every file is decoded once."""
    rows: dict[str, list[Array]] = {resizer.name: [] for resizer in resizers}
    for path in gallery.paths:
        decoded = decoder.call(path, geometry)
        for resizer in resizers:
            rows[resizer.name].append(resizer.call(resizer.prepared(decoded), geometry))
    for resizer in resizers:
        yield resizer, np.stack(rows[resizer.name])


def ratio(call: Callable[[], object], reference: Callable[[], object], pairs: int) -> Ratio:
    """Time two calls in alternation, after one call of each: `pairs` pairs of blocks in random order."""
    rng, ours_, other = np.random.default_rng(), timed(call), timed(reference)
    slower = max(clocked(each)() for each in (call, reference))
    calls = calls_in_a_block(slower)
    with no_garbage_collection():
        found = np.array([pair(ours_, other, rng, calls) for _ in range(max(pairs, fewest(CONFIDENCE)))])
    of: Interval = interval(found, CONFIDENCE)
    return {"low": of.low, "ratio": of.ratio, "high": of.high, "ms": float(1e3 * np.median(found[:, 0]))}


def decode_ratio(decoder: Part, reference: Part, path: str, geometry: Geometry, pairs: int) -> Ratio:
    """A decoder's time for a file, divided by the reference's."""
    return ratio(lambda: decoder.call(path, geometry), lambda: reference.call(path, geometry), pairs)


def resize_ratio(resizer: Part, reference: Part, decoded: Decoded, geometry: Geometry, pairs: int) -> Ratio:
    """A resizer's time for a decoded file, divided by the reference's; each is given the form that it takes."""
    mine, other = resizer.prepared(decoded), reference.prepared(decoded)
    return ratio(lambda: resizer.call(mine, geometry), lambda: reference.call(other, geometry), pairs)
