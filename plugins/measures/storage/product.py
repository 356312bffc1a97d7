"""Product quantisation: a byte for each few numbers, which names the nearest of 256 known pieces (Jégou et al. 2011)."""

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from fixtures.capability import Array
from plugins.measures.storage.form import Form, Stored

PIECE = 8  # numbers for each byte: 24 bytes for 192 numbers
WORDS = 256
FEWEST = 39  # vectors a word, below which faiss warns
SAMPLE, ROUNDS = 40 * WORDS, 10  # faiss makes 25 rounds of k-means
SEED = 20261130


@dataclass(frozen=True)
class Product(Form):
    """faiss's IndexPQ with 8 bits; the query stays as it is. The codebook is scipy's k-means over a sample."""

    book: Array = field(default_factory=lambda: np.zeros((0, WORDS, PIECE), np.float32))  # [D / PIECE, WORDS, PIECE]
    name, meaning = "pq", f"product quantisation, a byte for {PIECE} numbers (faiss IndexPQ)"
    multiple, fewest = PIECE, FEWEST * WORDS

    def fit(self, vectors: Array) -> Self:
        """Learn the codebook, of at least WORDS vectors."""
        from scipy.cluster.vq import kmeans2

        rng = np.random.default_rng(SEED)
        rows = np.asarray(vectors, np.float32)
        if len(rows) > SAMPLE:
            rows = rows[rng.choice(len(rows), SAMPLE, replace=False)]
        first = rng.choice(len(rows), WORDS, replace=False)
        pieces = _pieces(rows)
        book = [kmeans2(piece, piece[first], ROUNDS, minit="matrix", missing="warn")[0] for piece in pieces]
        return replace(self, book=np.stack(book).astype(np.float32))

    def encode(self, vectors: Array) -> Stored:
        """uint8 [N, D / PIECE]."""
        from scipy.cluster.vq import vq

        pairs = zip(_pieces(np.asarray(vectors, np.float32)), self.book, strict=True)
        return np.stack([vq(piece, words)[0] for piece, words in pairs], axis=1).astype(np.uint8)

    def decode(self, stored: Stored) -> Array:
        """The pieces that are named."""
        return np.concatenate([words[codes] for words, codes in zip(self.book, stored.T, strict=True)], axis=1)

    def bytes_of(self, width: int) -> int:
        """A byte for each piece; the codebook is not counted."""
        return width // PIECE


def _pieces(rows: Array) -> Array:
    """[D / PIECE, N, PIECE]."""
    return np.ascontiguousarray(rows.reshape(len(rows), -1, PIECE).transpose(1, 0, 2))
