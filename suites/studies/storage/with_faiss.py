"""faiss's indexes: flat, HNSW, IVF-PQ, and its quantisers of single vectors."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fixtures.capability import Array
from plugins.measures.storage.form import Form
from plugins.measures.storage.product import PIECE, ROUNDS, Product
from plugins.measures.vectors.recall import Ints
from suites.studies.storage.indexes import Index

COMMAND = "pip install faiss-cpu"
LINKS, DEPTH = 16, 64  # HNSW: links of an item, and how many candidates a search keeps
LISTS, PROBED = 256, 16  # IVF: lists, and how many of them a search looks at
BITS = 8


class Faiss(Index):
    """An index that `make(faiss, D)` returns, over inner products."""

    packages, distribution = {"faiss": COMMAND}, "faiss-cpu"

    def __init__(self, name: str, meaning: str, make: Callable[[Any, int], Any], form: str = "") -> None:
        self.name, self.meaning, self.make, self.form = name, meaning, make, form

    def train(self, items: Array, form: Form | None) -> None:
        import faiss

        self.index = self.make(faiss, items.shape[1])
        self.index.train(self._given(items))

    def store(self, items: Array) -> None:
        self.index.reset()
        self.index.add(self._given(items))

    def search(self, queries: Array, k: int) -> Ints:
        return np.asarray(self.index.search(self._given(queries), k)[1], np.int64)

    def _given(self, vectors: Array) -> Any:
        return np.ascontiguousarray(vectors, np.float32)


class FaissBinary(Faiss):
    """Bits in, Hamming distances out."""

    def _given(self, vectors: Array) -> Any:
        return np.packbits(vectors > 0, axis=1)


class FaissProduct(Faiss):
    """IndexPQ with our codebook, so that the two can be compared."""

    def train(self, items: Array, form: Form | None) -> None:
        import faiss

        self.index = self.make(faiss, items.shape[1])
        assert isinstance(form, Product)
        faiss.copy_array_to_vector(form.book.ravel(), self.index.pq.centroids)
        self.index.is_trained = True


def _hnsw(faiss: Any, width: int) -> Any:
    index = faiss.IndexHNSWFlat(width, LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efSearch = DEPTH
    return index


def _ivf_pq(faiss: Any, width: int) -> Any:
    lists = faiss.IndexFlatIP(width)
    index = faiss.IndexIVFPQ(lists, width, LISTS, width // PIECE, BITS, faiss.METRIC_INNER_PRODUCT)
    index.nprobe, index.pq.cp.niter = PROBED, ROUNDS
    return index


def _scalar(kind: str) -> Callable[[Any, int], Any]:
    return lambda faiss, width: faiss.IndexScalarQuantizer(
        width, getattr(faiss.ScalarQuantizer, kind), faiss.METRIC_INNER_PRODUCT
    )


INDEXES: tuple[Index, ...] = (
    Faiss("faiss flat", "IndexFlatIP", lambda faiss, width: faiss.IndexFlatIP(width), "fp32"),
    Faiss("faiss fp16", "IndexScalarQuantizer QT_fp16", _scalar("QT_fp16"), "fp16"),
    Faiss("faiss int8", "IndexScalarQuantizer QT_8bit", _scalar("QT_8bit"), "int8"),
    FaissProduct(
        "faiss PQ",
        "IndexPQ with our codebook",
        lambda faiss, width: faiss.IndexPQ(width, width // PIECE, BITS, faiss.METRIC_INNER_PRODUCT),
        "pq",
    ),
    FaissBinary("faiss binary", "IndexBinaryFlat", lambda faiss, width: faiss.IndexBinaryFlat(width), "binary"),
    Faiss("faiss HNSW", f"IndexHNSWFlat, {LINKS} links, efSearch {DEPTH}", _hnsw),
    Faiss("faiss IVF-PQ", f"IndexIVFPQ, {LISTS} lists, {PROBED} probed, a byte for {PIECE} numbers", _ivf_pq),
)
