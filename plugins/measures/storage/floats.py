"""Floating-point forms: fp32, fp16, and fp32 cut to half of the dimensions."""

import numpy as np

from fixtures.capability import Array
from plugins.measures.storage.form import Form, Stored
from plugins.measures.vectors.metrics import normalised


class Fp32(Form):
    """What faiss calls IndexFlatIP."""

    name, meaning = "fp32", "4 bytes a number"

    def encode(self, vectors: Array) -> Stored:
        """float32 [N, D]."""
        return np.asarray(vectors, np.float32)

    def decode(self, stored: Stored) -> Array:
        """The same."""
        return np.asarray(stored, np.float32)


class Fp16(Form):
    """faiss's QT_fp16: the nearest number of half precision; of two that are as near the even one, faiss the larger."""

    name, meaning = "fp16", "2 bytes a number"

    def encode(self, vectors: Array) -> Stored:
        """float16 [N, D]."""
        return np.asarray(vectors, np.float32).astype(np.float16)

    def decode(self, stored: Stored) -> Array:
        """Exact."""
        return np.asarray(stored, np.float32)


class Cut(Form):
    """The first half of the numbers, normalised again, as `truncate_dim` of sentence-transformers does it.

    It is meant for models that were trained for it (Kusupati et al. 2022, Matryoshka Representation Learning); CLIP was not.
    """

    name, meaning = "cut", "the first half of the dimensions, normalised again"
    multiple = 2

    def encode(self, vectors: Array) -> Stored:
        """float32 [N, D / 2]; a row of zeros stays one."""
        half = np.asarray(vectors)[:, : vectors.shape[1] // 2]
        return np.nan_to_num(normalised(half)).astype(np.float32)

    def decode(self, stored: Stored) -> Array:
        """With zeros in the place of what was cut, so that a whole query's inner product is that of its first half."""
        return np.pad(stored, ((0, 0), (0, stored.shape[1])))
