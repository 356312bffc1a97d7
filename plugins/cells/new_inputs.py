"""Inputs of one row for timed calls, none of which the encoder has had before: a cache of answers makes no call faster."""

import zlib
from collections.abc import Callable

from fixtures.capability import Array, Tokens, Tower
from fixtures.cells import EncoderKey
from fixtures.datasets import fresh
from plugins.subjects import Subjects

CHUNK = 16  # inputs that are made at once
KEPT = 8  # chunks: readers that are timed in alternation are never farther apart
POOL = 32  # pictures of the data set that new ones are mixed of

Batch = Array | Tokens


class NewInputs:
    """A sequence without end, read from its beginning; `make` gives the chunk of a number: pixels or tokens of CHUNK rows."""

    def __init__(self, make: Callable[[int], Batch]) -> None:
        self._make, self._at = make, 0
        self._chunks: dict[int, Batch] = {}

    def take(self, n: int) -> list[Batch]:
        """Return the next n batches of one row; making them takes time, so call it before the clock starts."""
        self._at += n
        return [self._row(i) for i in range(self._at - n, self._at)]

    def beside(self) -> "NewInputs":
        """Return a reader that gives from here on what this one gives: another encoder's, which is timed beside."""
        other = NewInputs(self._make)
        other._at, other._chunks = self._at, self._chunks
        return other

    def _row(self, i: int) -> Batch:
        number, at = divmod(i, CHUNK)
        if number not in self._chunks:
            self._chunks[number] = self._make(number)
            self._chunks.pop(number - KEPT, None)
        return self._chunks[number][at : at + 1]


def new_inputs(subjects: Subjects, key: EncoderKey, tower: Tower, seed: int) -> NewInputs:
    """Return what is left of an encoder's sequence of this run, whose seed is `seed`."""

    def chunk(number: int) -> int:
        return zlib.crc32(f"{seed} {key} {tower} {number}".encode())

    def text(number: int) -> Batch:
        return subjects.model.tokenize(fresh.texts(subjects.dataset.texts, CHUNK, chunk(number)))

    def image(number: int) -> Batch:
        pool = subjects.once(
            "pictures that new ones are mixed of", lambda: subjects.first_pixels(min(POOL, len(subjects.dataset.images)))
        )
        return fresh.images(pool, CHUNK, chunk(number))

    return subjects.once(("new inputs", str(key), tower), lambda: NewInputs(image if tower == "image" else text))
