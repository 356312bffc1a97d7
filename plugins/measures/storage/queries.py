"""The precisions in which queries reach an index."""

import numpy as np

from fixtures.capability import Array
from plugins.measures.storage.form import Form

PRECISIONS = ("fp32", "fp16", "int8", "as stored")
LARGEST = 127


def at_precision(queries: Array, precision: str, form: Form) -> Array:
    """Return unit queries [Q, D] as the index computes with them.

    int8: each query by its own largest number, to -127 to 127 steps, as services send them. as stored: in the form's own way.
    """
    if precision == "fp16":
        return queries.astype(np.float16).astype(np.float32)
    if precision == "int8":
        step = np.abs(queries).max(axis=1, keepdims=True) / np.float32(LARGEST)
        return np.asarray(np.rint(queries / step) * step)
    return form.as_stored(queries) if precision == "as stored" else queries
