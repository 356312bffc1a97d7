"""What an encoder promises about calls: first ones, many at once, odd memory, and those after something went wrong."""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Barrier
from typing import Any

import numpy as np

from fixtures.capability import TOWERS, Array, Encoder, Tokens, Tower
from fixtures.cells import EncoderKey
from fixtures.errors import in_one_line
from plugins.cells.compared import FARTHEST, Inputs, compare_calls
from plugins.cells.form import formed
from plugins.cells.promises import Judge
from plugins.golden.verified import Golden, names_of
from plugins.measures.vectors.drift import Drift
from plugins.subjects import Subjects

COSINE = "cosine_distance"
THREADS, CALLS = 16, 4  # more than a small pool of sessions or buffers has room for; calls a thread
ROWS = (1, 2, 1, 5)  # of calls that run at once
FEW = 3


def test_threads(
    subjects: Subjects, encoder_key: EncoderKey, encoder: Encoder, drift: Drift, tower: Tower, inputs: Inputs, judge: Judge
) -> None:
    """E10 threads that call both towers at once, with any number of rows, get the vectors of their own inputs."""
    alone, found = subjects.once(("threads", str(encoder_key)), lambda: in_threads(encoder, inputs))
    own = [(rows, part) for each, rows, part in found if each == tower]
    raised = [part for _, part in own if isinstance(part, Exception)]
    first = f": {in_one_line(raised[0])}" if raised else ""
    judge(not raised, f"{len(raised)} of {len(own)} calls in {THREADS} threads raise an error{first}")
    order = [i for rows, _ in own for i in rows]
    vectors = np.concatenate([part for _, part in own])
    what = f"{THREADS} threads' vectors to the same inputs one by one"
    for comparison in compare_calls(what, vectors, alone[tower][order], drift, order):
        judge(comparison)


Call = tuple[Tower, list[int], Array | Exception]


def in_threads(encoder: Encoder, inputs: Inputs) -> tuple[dict[Tower, Array], list[Call]]:
    """The vectors of a few inputs of both towers one by one, and of calls in threads: tower, rows of the inputs, and vectors or
    what the call raised."""
    n = min(16, *(len(inputs[each]) for each in TOWERS))
    alone = {each: np.concatenate([encoder.encode(inputs[each][i : i + 1], each).copy() for i in range(n)]) for each in TOWERS}
    started = Barrier(THREADS)

    def calls(thread: int) -> list[Call]:
        """The towers take turns."""
        started.wait()
        found: list[Call] = []
        for call in range(CALLS):
            rows = [(5 * thread + 3 * call + i) % n for i in range(ROWS[(thread + call // 2) % len(ROWS)])]
            each = TOWERS[(thread + call) % 2]
            try:
                found.append((each, rows, encoder.encode(inputs[each][rows], each)))
            except Exception as trouble:  # a broken form too: alone, each call gave a good one
                found.append((each, rows, trouble))
        return found

    with ThreadPoolExecutor(THREADS) as threads:
        return alone, [part for parts in threads.map(calls, range(THREADS)) for part in parts]


def test_layout(encoder: Encoder, drift: Drift, tower: Tower, judge: Judge) -> None:
    """E13 an input's memory makes no difference: strides, order of axes, address, or that it must not be written to."""
    batch = drift.inputs[:FEW]
    wanted = encoder.encode(batch, tower).copy()  # E7 judges results that later calls change
    for laid, same_batch in laid_out(batch):
        found, what = encoder.encode(same_batch, tower), f"a batch {laid} to the same batch in one piece"
        for comparison in compare_calls(what, found, wanted, drift, range(len(batch))):
            judge(comparison)


def laid_out(batch: Array | Tokens) -> Iterator[tuple[str, Any]]:
    """The same numbers in other places."""
    yield "in Fortran order", np.asfortranarray(batch)
    yield "that is every second row of a larger one", np.repeat(batch, 2, axis=0)[::2]
    yield "that is stored from its last row to its first", batch[::-1].copy()[::-1]
    wide = np.concatenate([batch[..., :2], batch, batch[..., :1]], axis=-1)
    yield "cut out of a wider array", wide[..., 2:-1]
    moved = np.insert(batch.ravel(), 0, 0)[1:].reshape(batch.shape)
    yield "whose memory begins one number later", moved
    fixed = batch.copy()
    fixed.flags.writeable = False
    yield "that is read-only", fixed


def test_first_call(subjects: Subjects, golden: Golden, encoder_key: EncoderKey, tower: Tower, judge: Judge) -> None:
    """E14 an encoder's first calls of each tower give the right vector: the very first one, and all until it is steady."""
    loaded, name = subjects.encoder(encoder_key), names_of(subjects, tower)[:1]
    first = np.concatenate([formed(found, 1, loaded.width, tower) for found in loaded.first[tower]])
    if {"E2", "E5"} & encoder_key.known_failures(tower).keys():  # golden's is not what it gives later either
        inputs = subjects.rotating_inputs(tower)
        whose, wanted = "its vector in a later call", loaded.formed.encode(inputs[0], tower)
    else:
        whose, wanted = "golden's", (golden.image if tower == "image" else golden.text)[:1]
    names = [f"{name[0]}, call {call}" for call in range(1, len(first) + 1)]
    same = np.repeat(wanted, len(first), axis=0)
    limits = {
        measure: golden.on(encoder_key.device).limits(encoder_key.tolerance, tower, measure, name * len(first))
        for measure in FARTHEST
    }
    drift = Drift(first, first, same, names, limits)
    for comparison in compare_calls(f"the first {len(first)} calls' vectors to {whose}", first, same, drift, range(len(first))):
        judge(comparison)


def test_trouble(
    subjects: Subjects, encoder_key: EncoderKey, encoder: Encoder, drift: Drift, tower: Tower, inputs: Inputs, judge: Judge
) -> None:
    """E15 a bad input harms itself alone: good rows beside it, and calls after it, get their own vectors."""
    batch = drift.inputs[:FEW]

    def before() -> dict[Tower, Array]:
        return {each: encoder.encode(inputs[each][:FEW], each).copy() for each in TOWERS}

    # Of both towers before the first trouble of either: what harms one may harm the other, for some calls or for all.
    wanted = subjects.once(("before trouble", str(encoder_key)), before)[tower]

    def hold(what: str, found: Array, rows: list[int]) -> None:
        for comparison in compare_calls(f"a good row {what} to the same row before", found, wanted[rows], drift, rows):
            judge(comparison)

    everything, good = list(range(len(batch))), [i for i in range(len(batch)) if i != 1]
    for what, bad in refused(batch):
        with suppress(Exception), ignored():  # an error is the right answer, and so is one that pads or cuts
            encoder.encode(bad, tower)
        hold(f"after a call with {what}", encoder.encode(batch, tower), everything)
    for value in (np.nan, np.inf) if tower == "image" and len(batch) > 1 else ():
        bad = batch.copy()
        bad[1] = value
        with ignored():
            found = encoder.encode(bad, tower)
        hold(f"beside one of {value}", found[good], good)
        hold(f"after a call with a row of {value}", encoder.encode(batch, tower), everything)
    if tower == "text":  # no token is a number that is none: an image is
        with suppress(Exception), ignored():  # some refuse it, which is right too
            encoder.encode(np.full_like(inputs["image"][:1], np.nan), "image")
        hold("after an image of nan", encoder.encode(batch, tower), everything)


def refused(batch: Array | Tokens) -> Iterator[tuple[str, Array | Tokens]]:
    """Arrays of shapes that no model takes."""
    yield "one column too many", np.concatenate([batch, batch[..., :1]], axis=-1)
    yield "rows without their axes", batch.reshape(len(batch), -1)[:, :1]


@contextmanager
def ignored() -> Iterator[None]:
    """What libraries say of numbers that are none is not judged."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
