"""Why vectors are wrong, most likely: a few more calls with inputs whose vectors were wrong, and what those have in common."""

import numpy as np
from numpy.typing import NDArray

from fixtures.capability import Array, Encoder, Tower
from fixtures.spaced import spaced
from plugins.measures.vectors.drift import Drift
from plugins.measures.vectors.metrics import METRICS, cosine_distance, normalised

FEW = 4  # inputs that are tried again
BATCHES = (8, 16, 32, 64, 100)
JUDGED = ("cosine_distance", "norm_ratio")


def likely_cause(encoder: Encoder, drift: Drift, tower: Tower) -> str:
    """Return the likely cause of wrong vectors as a clause; "" if nothing is wrong or no probe tells."""
    wrong = np.flatnonzero(~_right(drift, drift.found, np.arange(len(drift.names))))
    if not len(wrong):
        return ""
    some = wrong[spaced(len(wrong), FEW)]
    alone = np.concatenate([encoder.encode(drift.inputs[i : i + 1], tower).copy() for i in some])
    if _right(drift, alone, some).all():
        return _of_calls(encoder, drift, tower, some)
    return _exchanged(drift, some) or _lengths(drift, wrong, tower) or _share(drift, wrong)


def _right(drift: Drift, found: Array, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool [N]: these vectors are within the tolerances of their rows."""
    with np.errstate(all="ignore"):
        within = [METRICS[metric](found, drift.wanted[rows]) <= drift.limits[metric][rows] for metric in JUDGED]
    return np.asarray(np.logical_and(*within))


def _of_calls(encoder: Encoder, drift: Drift, tower: Tower, some: NDArray[np.int64]) -> str:
    """For inputs that are right one by one: the smallest batch in which one is wrong, or what lies between calls."""
    for size in (len(some), *BATCHES):
        if size > len(drift.names):
            break
        if size == 1:  # one wrong input: it was encoded alone already
            continue
        rows = np.concatenate([some, np.setdiff1d(np.arange(len(drift.names)), some)])[:size]
        if not _right(drift, encoder.encode(drift.inputs[rows], tower).copy(), rows).all():
            return f"one by one the same inputs give the right vectors, in a batch of {size} they do not: look at the batch"
    return (
        "the same inputs give the right vectors in a second call: look at what changes between calls (buffers, caches, state)"
    )


def _exchanged(drift: Drift, some: NDArray[np.int64]) -> str:
    """Vectors that are right for other inputs."""
    found = drift.found[some]
    if not np.isfinite(found).all():
        return ""
    nearest = (normalised(found) @ normalised(drift.wanted).T).argmax(axis=1)
    taken = (nearest != some) & (cosine_distance(found, drift.wanted[nearest]) <= drift.limits["cosine_distance"][nearest])
    if not taken.all():
        return ""
    one, other = drift.names[some[0]], drift.names[nearest[0]]
    return f"the vectors are those of other inputs ({one} has the one of {other}): look at the order"


def _lengths(drift: Drift, wrong: NDArray[np.int64], tower: Tower) -> str:
    """Texts that are wrong by their number of tokens, padding (0) aside."""
    if tower != "text" or len(wrong) == len(drift.names):
        return ""
    lengths = (drift.inputs != 0).sum(axis=1)
    bad, good = set(lengths[wrong].tolist()), set(np.delete(lengths, wrong).tolist())
    if bad & good:
        return ""
    if min(bad) > max(good):
        return f"only texts of {min(bad)} tokens or more are wrong: look at long texts"
    return f"only texts of {', '.join(map(str, sorted(bad)[:5]))} tokens are wrong: look at their length"


def _share(drift: Drift, wrong: NDArray[np.int64]) -> str:
    every = len(wrong) == len(drift.names)
    return "every input is wrong, one by one too: look at weights, precision, layers or the model" if every else ""
