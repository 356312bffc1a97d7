"""Are vectors right while calls are timed? Nobody looks at them before the clock has stopped."""

import numpy as np

from fixtures import truth
from fixtures.capability import TOWERS, Array, Tower
from fixtures.cells import EncoderKey
from plugins.cells.new_inputs import Batch
from plugins.golden.verified import Golden
from plugins.measures.vectors.metrics import Comparison, cosine_distance
from plugins.subjects import Subjects

COSINE = "cosine_distance"


def timed_vectors(
    subjects: Subjects, golden: Golden, key: EncoderKey, tower: Tower, batches: list[Batch], timed: Array
) -> Comparison:
    """Timed vectors beside what is right.

    A run of this suite alone has no E2, so torch eager fp32 says what is right. Where it is known that E2 breaks, by whatever
    size on whatever processor, that is said already: there L1 asks only whether a vector is another one while it is timed.
    """
    inputs: Batch = np.concatenate(batches)  # type: ignore[assignment]  # all pixels or all tokens
    loaded = subjects.encoder(key)

    def eager(precision: str) -> Array:
        if precision not in loaded.eager:
            loaded.eager[precision] = truth.eager(subjects.model, precision)
        return truth.one_by_one(loaded.eager[precision], inputs, tower)

    if "E2" in key.known_failures(tower):
        whose, wanted = "the encoder's own, not timed", truth.one_by_one(loaded.formed, inputs, tower)
    else:
        whose, wanted = "torch eager fp32's", eager("fp32")
    own = np.zeros(len(inputs)) if key.tolerance == "fp32" else cosine_distance(eager(key.tolerance), wanted)
    if tower == TOWERS[-1]:
        loaded.eager.clear()  # which takes as much memory as the encoder
    names = [f"new input {i} (--seed repeats it)" for i in range(len(inputs))]
    limits = golden.on(key.device).limits_of(key.tolerance, tower, COSINE, own)
    return Comparison(f"cosine distance of a timed vector to {whose}", cosine_distance(timed, wanted), limits, names, COSINE)


CLEARLY = 0.1  # of the distance to its own: with less, a vector is another input's, whatever the precision


def of_others(subjects: Subjects, tower: Tower, batches: list[Batch], timed: Array) -> int:
    """How many timed vectors, [N, D], are those of another of these inputs; needs no golden data."""
    inputs: Batch = np.concatenate(batches)  # type: ignore[assignment]  # all pixels or all tokens
    wanted = truth.reference(subjects.model, inputs, tower, iter)
    to_each = [cosine_distance(timed, np.broadcast_to(each, timed.shape)) for each in wanted]
    distances = np.stack(to_each, axis=1)  # [timed, input]
    return int((distances.min(axis=1) < CLEARLY * np.diagonal(distances)).sum())
