"""Forms of storage agree with faiss bit for bit, and with what is computed by hand."""

from dataclasses import replace

import numpy as np
import pytest

from fixtures.capability import Array
from plugins.measures.storage.bits import Binary, BinaryRescored
from plugins.measures.storage.floats import Cut, Fp16, Fp32
from plugins.measures.storage.form import Form, Stored
from plugins.measures.storage.gallery import unit
from plugins.measures.storage.product import PIECE, Product
from plugins.measures.storage.queries import at_precision
from plugins.measures.storage.registry import forms
from plugins.measures.storage.scalars import Int8, Int8OneRange
from plugins.measures.storage.search import Part, overlap, search
from suites.studies.storage.indexes import Index, agreement
from suites.studies.storage.with_faiss import INDEXES
from suites.studies.storage.with_qdrant import Qdrant

WIDTH = 32
EXACT = [index for index in (*INDEXES, Qdrant()) if index.form]


@pytest.fixture(scope="module")
def items() -> Array:
    """Unit vectors with dimensions of unlike means and ranges, as embeddings have."""
    rng = np.random.default_rng(1)
    return unit(rng.normal(size=(1500, WIDTH)) * rng.uniform(0.2, 3, WIDTH) + rng.normal(size=WIDTH))


@pytest.fixture(scope="module")
def queries(items: Array) -> Array:
    """Others, near to some of the items; a few numbers are beyond the items' range."""
    return unit(items[::50] + 0.3 * np.random.default_rng(2).normal(size=(30, WIDTH)) / WIDTH**0.5)


def built(index: Index, items: Array) -> Form:
    """Train and fill the library's index; our form, fitted to the same items."""
    for package in index.packages:
        pytest.importorskip(package, reason=f"{package} is not installed: {index.packages[package]}")
    form = forms()[index.form].fit(items)
    index.train(items, form)
    index.store(items)
    return form


@pytest.mark.parametrize("index", EXACT, ids=lambda index: index.name)
def test_agreement(index: Index, items: Array, queries: Array) -> None:
    """The library finds what our form finds, with the same scores up to round-off; torch works in the same process."""
    import torch

    form = built(index, items)
    found = agreement(index, form, items, queries)
    assert found["largest_gap"] < 1e-6
    assert found["same"] > 0.999 or index.form == "binary"  # many Hamming distances of 32 bits are equal
    assert float((torch.ones(64, 64) @ torch.ones(64, 64)).sum()) == 64**3


@pytest.mark.parametrize("index", EXACT[1:3], ids=lambda index: index.name)
def test_a_disagreement_is_seen(index: Index, items: Array, queries: Array) -> None:
    """Numbers of fp16 that are cut off in the place of rounded ones, and ranges of other items."""

    class CutOff(Fp16):
        def encode(self, vectors: Array) -> Stored:
            return (np.asarray(vectors, np.float32).view(np.uint32) & 0xFFFFE000).view(np.float32)

    form = built(index, items)
    wrong = CutOff() if index.form == "fp16" else form.fit(2 * items)
    assert agreement(index, wrong, items, queries)["largest_gap"] > 1e-5


@pytest.mark.parametrize(("kind", "form"), [("QT_8bit", Int8()), ("QT_fp16", Fp16())])
def test_codes_are_those_of_faiss(kind: str, form: Form, items: Array, queries: Array) -> None:
    """For items, and for queries with numbers beyond the range; but faiss may round a number in the middle of two up."""
    faiss = pytest.importorskip("faiss", reason="faiss is not installed: pip install faiss-cpu")
    index = faiss.IndexScalarQuantizer(WIDTH, getattr(faiss.ScalarQuantizer, kind), faiss.METRIC_INNER_PRODUCT)
    index.train(items)
    fitted = form.fit(items)
    for vectors in (items, queries):
        ours, theirs = fitted.encode(vectors), index.sa_encode(vectors)
        codes = theirs.view(ours.dtype)
        middle = np.abs(fitted.decode(ours) - vectors) == np.abs(fitted.decode(codes) - vectors)
        assert ((ours == codes) | middle).all() and (ours == codes).mean() > 0.999
        assert fitted.decode(codes) == pytest.approx(index.sa_decode(theirs), abs=1e-7)


def test_one_range_by_hand() -> None:
    """Qdrant's formula: steps from the least to the greatest number that are left when the farthest are clipped."""
    vectors = np.tile(np.linspace(-1, 1, 100, dtype=np.float32), (400, 1))
    vectors[0, 0], vectors[0, 1] = 50, -50  # of 400 vectors, 2 numbers at either end are beyond the range
    form = Int8OneRange().fit(vectors)
    assert (form.low, form.step) == pytest.approx((-1, 2 / 127))
    stored = form.encode(np.array([[-50, -1, 0.0, 1, 50]], np.float32))
    assert stored.tolist() == [[0, 0, 64, 127, 127]]
    assert form.decode(stored)[0, 2] == pytest.approx(-1 + 64 * 2 / 127)


def test_signs_are_hamming_distances(items: Array, queries: Array) -> None:
    """An inner product is 1 - 2 / D times the number of unlike bits."""
    form = Binary()
    scores = form.as_stored(queries) @ form.decode(form.encode(items)).T
    unlike = ((queries > 0)[:, None] != (items > 0)[None]).sum(axis=2)
    assert scores == pytest.approx(1 - 2 * unlike / WIDTH, abs=1e-6)


def test_rescoring_ranks_a_shortlist_anew(items: Array, queries: Array) -> None:
    """All that it finds is on the list of four times as many by Hamming distance, in the order of exact scores."""
    alone, rescored, rows = Binary(), BinaryRescored(), np.arange(len(items))
    listed = search(alone, Part.of(alone, alone.encode(items), rows), alone.as_stored(queries), 40).items
    found = search(rescored, Part.of(rescored, rescored.encode(items), rows), queries, 10)
    assert overlap(listed, found.items).tolist() == [1.0] * len(queries)
    exact = np.take_along_axis(queries @ items.T, found.items, axis=1)
    assert (np.diff(exact, axis=1) <= 0).all()
    assert rescored.bytes_of(WIDTH) == WIDTH // 8


def test_a_cut_query_is_a_whole_one(items: Array, queries: Array) -> None:
    """Whole queries over cut items rank as cut queries do."""
    form = Cut()
    half = unit(items[:, : WIDTH // 2])
    assert form.decode(form.encode(items))[:, : WIDTH // 2] == pytest.approx(half)
    whole = queries @ form.decode(form.encode(items)).T
    assert (whole.argmax(axis=1) == (unit(queries[:, : WIDTH // 2]) @ half.T).argmax(axis=1)).all()


def test_a_codebook_is_kept(items: Array) -> None:
    """The nearest word of each piece; later vectors do not change it."""
    form = Product().fit(items)
    nearest = ((items[:5, None, :PIECE] - form.book[0][None]) ** 2).sum(axis=2).argmin(axis=1)
    assert form.encode(items)[:5, 0].tolist() == nearest.tolist()
    assert form.encode(items).shape == (len(items), WIDTH // PIECE)
    lost = np.linalg.norm(form.decode(form.encode(items)) - items, axis=1).mean()
    other = np.linalg.norm(replace(form, book=form.book[::-1]).decode(form.encode(items)) - items, axis=1).mean()
    assert lost < 0.5 < other


def test_every_form_is_found() -> None:
    """By its name, the largest first, and each stores a width that all have in common."""
    known = forms()
    assert {"fp32", "fp16", "int8", "int8-one-range", "pq", "binary", "binary-rescored", "cut"} == {*known}
    sizes = [form.bytes_of(WIDTH) for form in known.values()]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] == 4 * WIDTH


def test_precisions_of_a_query() -> None:
    """Each by its own largest number, and in the form's own way."""
    query = np.array([[0.8, -0.6, 0.003]], np.float32)
    assert at_precision(query, "int8", Fp32()) == pytest.approx(np.rint(query * 127 / 0.8) * 0.8 / 127)
    assert at_precision(query, "int8", Fp32())[0, 2] == 0
    assert (at_precision(query, "fp16", Fp32()) == query.astype(np.float16)).all()
    assert (at_precision(query, "fp32", Int8()) == query).all()
    whole = np.array([[0.5, -0.5] * 4], np.float32)
    assert at_precision(whole, "as stored", Binary()) == pytest.approx(np.sign(whole) / 8**0.5)
