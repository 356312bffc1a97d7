"""Is a draw a fault at all? All outputs of calls that are made for it, beside those of the good encoder."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fixtures.capability import TOWERS, Array, Encoder, Tower
from suites.studies.mutants.grammar import Draw
from suites.studies.mutants.mutant import mutated, relative, sound

if TYPE_CHECKING:
    from fixtures.models import Model

Call = tuple[Tower, Any]
CONTEXT, VOCABULARY, START, END = 77, 49408, 49406, 49407  # CLIP's tokeniser
MANY_CALLS = 310  # past every call number that the grammar knows
THREADS = 4
LONG = ("call number", "thread")
LONG_PLACES = ("cache", "buffer", "state")


def largest_effect(model: "Model", precision: str, draw: Draw) -> float:
    """The largest relative change of an output, in float64, over calls that include the draw's own condition; 0: an equivalent.

    Results are compared after the last call, so that buffers that are written to again count.
    """
    import torch

    torch.manual_seed(0)
    faulty = mutated(model, precision, "cpu", draw)
    # A layer is changed in the module itself; all other faults are made of the good result of the same call.
    good = sound(model, precision, "cpu") if draw.where == "layer" else None
    held: list[tuple[Array, Array]] = []

    def compare(call: Call) -> None:
        tower, batch = call
        found = faulty.encode(batch, tower)
        held.append((found, good.encode(batch, tower) if good else faulty.last[tower]))

    def compare_beside(call: Call) -> None:
        tower, batch = call
        held.append((faulty.encode(batch, tower), faulty.good.encode(batch, tower)))

    size = model.geometry.size
    _trouble(faulty, size)
    for call in calls(draw, size):
        compare(call)
    if draw.when == "thread":
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(compare_beside, list(calls(draw, size))[:8]))
    return max(relative(found, wanted) for found, wanted in held if len(wanted))


def calls(draw: Draw, size: int) -> Iterator[Call]:
    """What shows the draw if anything does: its lengths, its batch sizes, its call numbers, inputs of every kind."""
    for tower in TOWERS:
        some = _inputs(tower, 100, size)
        for n in sorted({1, 2, 3, 5, 8, 33, *(max(1, min(100, draw.point + d)) for d in (-1, 0, 1))}):
            yield tower, some[:n]
        for row in range(0, 100, 1 if tower in draw.towers else 10):
            yield tower, some[row : row + 1]
    long = draw.when in LONG or draw.where in LONG_PLACES
    some = _inputs("text", 8, size), _inputs("image", 8, size)
    for n in range(MANY_CALLS if long else 2):
        tower = TOWERS[1 - n % 2]
        yield tower, some[n % 2][n % 8 : n % 8 + 1 + n % 3]


@cache
def _inputs(tower: Tower, n: int, size: int) -> Any:
    """Images of every brightness and texts of every length; the same for all draws."""
    rng = np.random.default_rng(2)
    if tower == "image":
        noise = rng.standard_normal((n, 3, size, size)) * 0.5
        return (noise + np.linspace(-2, 2, n)[:, None, None, None]).astype(np.float32)
    found = np.zeros((n, CONTEXT), np.int64)
    for row in range(n):
        length = 2 + row % (CONTEXT - 1)
        found[row, :length] = [START, *rng.integers(1, START, length - 2), END]
    return found


def _trouble(faulty: Encoder, size: int) -> None:
    """A batch that is refused, and one of NaN."""
    with suppress(Exception):
        faulty.encode(np.zeros((1, 3, size, size + 1), np.float32), "image")
    with suppress(Exception), np.errstate(all="ignore"):
        faulty.encode(np.full((1, 3, size, size), np.nan, np.float32), "image")
