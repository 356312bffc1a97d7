"""A vector depends on its own row only: not on the batch, its order or padding, memory layout, or other encoders at work."""

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from fixtures.capability import Array, Encoder, Tower
from fixtures.registry import backends
from plugins.measures.vectors.metrics import normalised
from suites.selftest.properties.encoder_rows import END, START, TOWERS, batch, model, numbers, same
from suites.selftest.properties.settings import hold

CELLS = [("torch-eager", "fp32"), ("onnxruntime", "fp32"), ("onnxruntime", "int8")]
orders: st.SearchStrategy[Any] = st.randoms(use_true_random=False)
towers: st.SearchStrategy[Any] = st.sampled_from(TOWERS)


class Cell:
    """An encoder and what it gave for single rows."""

    def __init__(self, backend: str, precision: str) -> None:
        self.name, self.precision = f"{backend} {precision}", precision
        self.encoder: Encoder = backends()[backend].load(model(), precision, "cpu")
        self.single: dict[tuple[Tower, int], Array] = {}

    def alone(self, tower: Tower, asked: list[int]) -> Array:
        """[n, D], each row from a call of its own."""
        for number in asked:
            if (tower, number) not in self.single:
                self.single[tower, number] = self.encoder.encode(batch(tower, [number]), tower)
        return np.concatenate([self.single[tower, number] for number in asked])

    def holds(self, found: Array, asked: list[int], tower: Tower) -> None:
        """The rows are what they are alone."""
        same(found, self.alone(tower, asked), asked, tower, self.precision)


@pytest.fixture(scope="module", params=CELLS, ids=" ".join)
def subject(request: pytest.FixtureRequest) -> Cell:
    """Each of them."""
    return Cell(*request.param)


def test_neighbours(subject: Cell) -> None:
    """A row among others is what it is alone; rows of zeros that fill a batch up are neighbours too."""

    def check(tower: Tower, asked: list[int], zeros: int) -> None:
        rows = batch(tower, asked)
        padded = np.concatenate([rows, np.zeros_like(rows, shape=(zeros, *rows.shape[1:]))])
        subject.holds(subject.encoder.encode(padded, tower)[: len(asked)], asked, tower)

    hold(f"neighbours, {subject.name}", check, 40, tower=towers, asked=numbers(), zeros=st.integers(0, 4))


def test_permutation(subject: Cell) -> None:
    """A batch in another order gives the same vectors in that order."""

    def check(tower: Tower, asked: list[int], random: Any) -> None:
        order = random.sample(range(len(asked)), len(asked))
        rows, sorted_asked = batch(tower, asked), [asked[i] for i in order]
        together = subject.encoder.encode(rows, tower)
        same(subject.encoder.encode(rows[order], tower), together[order], sorted_asked, tower, subject.precision)

    hold(
        f"batch permutation, {subject.name}",
        check,
        30,
        tower=towers,
        asked=numbers(2),
        random=orders,
    )


def test_split(subject: Cell) -> None:
    """A batch cut in two anywhere gives the same vectors as in one call."""

    def check(tower: Tower, asked: list[int], cut: int) -> None:
        rows, at = batch(tower, asked), 1 + cut % (len(asked) - 1)
        parts = np.concatenate([subject.encoder.encode(part, tower) for part in (rows[:at], rows[at:])])
        same(parts, subject.encoder.encode(rows, tower), asked, tower, subject.precision)

    hold(f"batch split, {subject.name}", check, 30, tower=towers, asked=numbers(2), cut=st.integers(0, 6))


def test_after_end_of_text(subject: Cell) -> None:
    """CLIP's text tower looks back only, so that what stands after end-of-text has no share in the vector."""

    def check(asked: list[int], seed: int) -> None:
        rows = batch("text", asked)
        junk = np.random.default_rng(seed).integers(0, START, rows.shape)
        beyond = np.arange(rows.shape[1]) > rows.argmax(axis=1)[:, None]
        subject.holds(subject.encoder.encode(np.where(beyond, junk, rows), "text"), asked, "text")

    assert batch("text", [0]).max() == END
    hold(f"text padding, {subject.name}", check, 25, asked=numbers(most=4), seed=st.integers(0, 1000))


def reversed_in_memory(rows: Any) -> Any:
    """The last row first."""
    return rows[::-1].copy()[::-1]


def every_second(rows: Any) -> Any:
    """Rows between others that are not asked for."""
    return np.repeat(rows, 2, axis=0)[::2]


def channels_last(rows: Any) -> Any:
    """Pixels as most image libraries keep them; for tokens, columns first."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(rows, 1, -1)), -1, 1)


def part_of_larger(rows: Any) -> Any:
    """A window of wider rows."""
    return np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(2, 3)])[..., 2:-3]


def unaligned(rows: Any) -> Any:
    """Beginning at an odd address, as an array within a message does."""
    return np.frombuffer(b"\0" + rows.tobytes(), np.uint8)[1:].view(rows.dtype).reshape(rows.shape)


def read_only(rows: Any) -> Any:
    """Not to be written to."""
    rows = rows.copy()
    rows.flags.writeable = False
    return rows


LAYOUTS = (np.asfortranarray, reversed_in_memory, every_second, channels_last, part_of_larger, unaligned, read_only)


def test_layout(subject: Cell) -> None:
    """The same values give the same vectors however they lie in memory, and are not written to."""

    def check(tower: Tower, asked: list[int], layout: Any) -> None:
        rows = layout(batch(tower, asked))
        subject.holds(subject.encoder.encode(rows, tower), asked, tower)
        assert np.array_equal(rows, batch(tower, asked)), "the call wrote to its input"

    hold(f"memory layout, {subject.name}", check, 40, tower=towers, asked=numbers(most=4), layout=st.sampled_from(LAYOUTS))


def test_encoders_alive_at_once() -> None:
    """Their calls begin and end in any order, and each gives, bit for bit, what it gave before there was another."""
    wanted: dict[tuple[int, Tower, int], Array] = {}
    for i, named in enumerate(CELLS):
        only = Cell(*named)
        wanted |= {(i, tower, number): only.alone(tower, [number]) for tower in TOWERS for number in range(4)}
        del only
    alive = [Cell(*named).encoder for named in (*CELLS, *CELLS)]  # two of each

    def check(calls: list[tuple[int, Tower, int]], random: Any) -> None:
        batches = [alive[i].upload(batch(tower, [number]), tower) for i, tower, number in calls]
        results: dict[int, object] = {}
        for j in random.sample(range(len(calls)), len(calls)):
            results[j] = alive[calls[j][0]].forward(batches[j], calls[j][1])
        for j in random.sample(range(len(calls)), len(calls)):
            i, tower, number = calls[j]
            found = alive[i].download(results[j])
            assert np.array_equal(found, wanted[i % len(CELLS), tower, number]), f"{CELLS[i % len(CELLS)]} {tower} {number}"

    call = st.tuples(st.integers(0, len(alive) - 1), towers, st.integers(0, 3))
    calls = st.lists(call, min_size=2, max_size=8)
    hold("encoders alive at once", check, 60, calls=calls, random=orders)


def test_normalisation() -> None:
    """A unit vector stays what it is, and the length of a vector has no share in its direction; a zero row is never one."""

    def check(vectors: Array, scale: float) -> None:
        once, zero = normalised(vectors), ~vectors.any(axis=1)
        assert np.isnan(once[zero]).all() and np.allclose(np.linalg.norm(once[~zero], axis=1), 1, rtol=1e-14)
        assert np.allclose(normalised(once), once, rtol=1e-14, atol=0, equal_nan=True)
        assert np.allclose(normalised(vectors * np.float64(scale)), once, rtol=1e-14, atol=0, equal_nan=True)

    values = st.floats(width=32, allow_nan=False, allow_infinity=False)
    shapes = nps.array_shapes(min_dims=2, max_dims=2, max_side=8)
    hold(
        "idempotent normalisation",
        check,
        200,
        vectors=nps.arrays(np.float32, shapes, elements=values),
        scale=st.floats(1e-6, 1e6),
    )


def test_a_dependence_is_seen() -> None:
    """An encoder whose rows lean a little on their neighbours does not pass for one whose rows do not."""
    subject = Cell("torch-eager", "fp32")
    forward: Any = subject.encoder.forward

    def leaning(rows: object, tower: Tower) -> Any:
        vectors = forward(rows, tower)
        return vectors + 1e-4 * (vectors.mean(dim=0) - vectors)

    subject.encoder.forward = leaning  # type: ignore[assignment, method-assign]
    with pytest.raises(AssertionError, match=r"image fp32: cosine_distance is .*, allowed .*; worst input: scene_0"):
        subject.holds(subject.encoder.encode(batch("image", [0, 1]), "image"), [0, 1], "image")
