"""A bit a number: the sign. Alone, or as a first look whose finds are ranked anew by vectors that are kept too."""

import numpy as np

from fixtures.capability import Array
from plugins.measures.storage.form import Form, Stored

SHORTLIST = 4  # times k; sentence-transformers' semantic_search_faiss calls it rescore_multiplier, with 4 in its documentation


def packed(vectors: Array) -> Stored:
    """Return a bit for each number, set above 0: uint8 [N, D / 8]."""
    return np.packbits(np.asarray(vectors) > 0, axis=1)


def signs(bits: Stored, width: int) -> Array:
    """Return -1 or 1 for each number, divided by the root of `width`: unit vectors, float32 [N, width].

    The inner product of two of them is 1 - 2 / width times their Hamming distance.
    """
    return (np.unpackbits(bits, axis=1, count=width) * np.float32(2) - 1) / np.float32(width**0.5)


class Binary(Form):
    """A bit is set for a number above 0. With queries "as stored" scores are Hamming distances, as faiss's IndexBinaryFlat and
    Qdrant rank; with an fp32 query they rank as sentence-transformers rescores, by signs alone."""

    name, meaning = "binary", "a bit a number"
    multiple = 8

    def encode(self, vectors: Array) -> Stored:
        """uint8 [N, D / 8]."""
        return packed(vectors)

    def decode(self, stored: Stored) -> Array:
        """The signs."""
        return signs(stored, 8 * stored.shape[1])


class BinaryRescored(Form):
    """The nearest by Hamming distance are ranked anew by their fp32 vectors, which Qdrant keeps on disk for that."""

    name, meaning = "binary-rescored", f"a bit a number; {SHORTLIST} times as many are found and ranked anew by fp32"
    shortlist = SHORTLIST
    multiple = 8

    def encode(self, vectors: Array) -> Stored:
        """A record [N] of `bits` uint8 [D / 8] and `kept` float32 [D]."""
        bits, width = packed(vectors), vectors.shape[1]
        rows = np.empty(len(vectors), [("bits", np.uint8, bits.shape[1]), ("kept", np.float32, width)])
        rows["bits"], rows["kept"] = bits, vectors
        return rows

    def decode(self, stored: Stored) -> Array:
        """The vectors that are kept."""
        return np.ascontiguousarray(stored["kept"])

    def rough(self, stored: Stored) -> Array:
        """The signs."""
        return signs(stored["bits"], stored["kept"].shape[1])

    def bytes_of(self, width: int) -> int:
        """In memory; the kept vectors are read from disk for the shortlist alone."""
        return -(-width // 8)
