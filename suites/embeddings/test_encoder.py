"""What an encoder promises on golden pixels and golden tokens, before any preprocessor has a share in it."""

import numpy as np
import pytest

from fixtures.capability import TOWERS, Encoder, Tower
from fixtures.cells import EncoderKey
from plugins.cells.compared import Inputs, compare_calls
from plugins.cells.form import same
from plugins.cells.promises import Judge
from plugins.cells.sizes import SIZES
from plugins.golden.verified import Golden
from plugins.measures.vectors.drift import Drift
from plugins.measures.vectors.metrics import Comparison, cosine_distance, normalised
from plugins.report.rows import Record
from plugins.subjects import Subjects

COSINE = "cosine_distance"
LARGE = max(SIZES)  # rows


def test_form(encoder: Encoder, drift: Drift, tower: Tower, judge: Judge) -> None:
    """E1 an embedding is finite, float32, C-contiguous and of shape [N, D], for a batch of one and of none too."""
    for n in (1, 0, min(3, len(drift.inputs))):
        found = encoder.encode(drift.inputs[:n], tower)  # its type and shape are looked at here, and wherever vectors are taken
        judge(found.dtype == np.float32, f"dtype {found.dtype}, expected float32")
        judge(found.flags.c_contiguous, "memory layout is not C-contiguous")
    broken = [drift.names[i] for i in np.flatnonzero(~np.isfinite(drift.found).all(axis=1))]
    judge(not broken, f"NaN or Inf for {len(broken)} of {len(drift.names)} inputs, the first is {broken[:1]}")


def test_direction(drift: Drift, tower: Tower, judge: Judge, record: Record) -> None:
    """E2 an embedding points where golden's points: cosine distance within the precision's tolerance, for every input."""
    record("drift.text" if tower == "text" else "drift.image_encoder", drift.report())
    judge(drift.comparison("cosine_distance"))


def test_values(drift: Drift, judge: Judge) -> None:
    """E3 raw embeddings keep golden's values: mean and largest absolute difference within tolerance, for every input."""
    judge(drift.comparison("mean_abs"))
    judge(drift.comparison("max_abs"))


def test_length(drift: Drift, judge: Judge) -> None:
    """E5 a raw embedding is as long as golden's: it is neither normalised nor scaled."""
    judge(drift.comparison("norm_ratio"))


def test_batch(encoder: Encoder, drift: Drift, tower: Tower, judge: Judge) -> None:
    """E4 a row does not depend on its batch: alone, beside others or its like, or in another order it is the same."""
    rows = list(range(0, len(drift.names), max(1, len(drift.names) // 16)))[:16]
    together = encoder.encode(drift.inputs[rows], tower).copy()  # E7 judges results that later calls change
    alone = np.concatenate([encoder.encode(drift.inputs[i : i + 1], tower).copy() for i in rows])
    turned = encoder.encode(drift.inputs[rows[::-1]], tower)[::-1]
    n = len(rows)
    # Equal rows apart and side by side, of first, last and middle places; a batch of nothing else; and a large one.
    repeated = [0, n // 2, 0, n - 1, n - 1, n // 2, 0]
    twins = encoder.encode(drift.inputs[[rows[i] for i in repeated]], tower)
    alike = encoder.encode(drift.inputs[[rows[0]] * 5], tower)
    many = [(7 * i) % n for i in range(LARGE)] if len(drift.inputs) < LARGE else []  # else whole sets are in batches so large
    large = encoder.encode(drift.inputs[[rows[i] for i in many]], tower)
    every = list(range(n))
    for how, found, of in (
        ("alone", alone, every),
        ("in reversed order", turned, every),
        ("beside equal rows", twins, repeated),
        ("in a batch of equal rows", alike, [0] * 5),
        (f"in a batch of {LARGE}", large, many),
    ):
        if not of:
            continue
        what = f"a row {how} to the same row in its batch"
        for comparison in compare_calls(what, found, together[of], drift, [rows[i] for i in of]):
            judge(comparison)


REPEATS = 8  # calls: one that goes wrong in one of three is seen in 96 of 100 runs


def test_repeat(encoder: Encoder, drift: Drift, tower: Tower, judge: Judge) -> None:
    """E6 the same input gives the same bits every time."""
    once, *others = (encoder.encode(drift.inputs[:4], tower) for _ in range(REPEATS))
    most = max(float(np.abs(once - other).max()) for other in others)
    judge(all(np.array_equal(once, other) for other in others), f"{REPEATS} calls differ by up to {most:.3g}", difference=most)


OWNED = (1, 2, 7)  # rows a call: what is kept or written to may depend on how many there are


def test_ownership(
    subjects: Subjects, encoder_key: EncoderKey, encoder: Encoder, drift: Drift, tower: Tower, inputs: Inputs, judge: Judge
) -> None:
    """E7 a result stays as it was when later calls run; the caller's input is not written to, and may change in place."""
    changed = subjects.encoder(encoder_key).changed
    judge(tower not in changed, f"{changed.get(tower)}: output buffers are reused in turn")
    result, other = encoder.encode(drift.inputs[:1], tower), TOWERS[1 - TOWERS.index(tower)]
    kept = result.copy()
    encoder.encode(inputs[other][:1], other)
    judge(same(result, kept), "a call of the other tower changed an earlier result: the towers share an output buffer")
    for n in sorted({min(n, len(drift.inputs)) for n in OWNED}):
        first = drift.inputs[:n]
        result = encoder.encode(first, tower)
        kept = result.copy()
        encoder.encode(drift.inputs[-n:], tower)
        judge(same(result, kept), f"the next call changed an earlier result of {n} rows: an output buffer is reused")
        written = [drift.names[i] for i in np.flatnonzero((first != drift.inputs[:n]).reshape(n, -1).any(axis=1))]
        judge(not written, f"a call with {n} rows wrote to its input: {written[:2]}")
        first[:] = drift.inputs[-n:]
        metric = "cosine distance of an input that was changed in place to its own vector"
        distances = cosine_distance(encoder.encode(first, tower), drift.found[-n:])
        judge(Comparison(metric, distances, drift.limits["cosine_distance"][-n:], drift.names[-n:], COSINE))


def test_difference(drift: Drift, judge: Judge) -> None:
    """E8 different inputs give different embeddings."""
    if len(drift.found) < 2:
        pytest.skip("the data set has one input for this tower: add a second to see whether the output is constant")
    cosines = normalised(drift.found[:32]) @ normalised(drift.found[:32]).T
    wanted = normalised(drift.wanted[:32]) @ normalised(drift.wanted[:32]).T
    spread, golden_spread = (1 - c[np.triu_indices(len(c), 1)].min() for c in (cosines, wanted))
    judge(
        spread > 0.5 * golden_spread,
        f"embeddings spread over a cosine distance of {spread:.3g}, golden's over {golden_spread:.3g}",
    )


LOOKED_AT = (17, 1)  # rows: what runs may depend on how many there are
SIGNATURE = 10  # an error so many times smaller than the precision's own was not made in that precision


def test_precision(
    encoder: Encoder, encoder_key: EncoderKey, drift: Drift, golden: Golden, tower: Tower, judge: Judge, record: Record
) -> None:
    """E9 the encoder runs in the precision and on the device that it names: what it runs says so, and so does its error."""
    named = encoder_key.base
    if encoder.int8_range:
        record("int8_range", encoder.int8_range)
    found = None
    for n in LOOKED_AT:
        found = encoder.evidence(drift.inputs[:n], tower)
        if found is None:
            break
        record(f"evidence.{tower}", {"precision": found.precision, "device": found.device, "how": found.how})
        wanted = {named, "fp32"} if encoder_key.policy or named == "int8" else {named}  # no scheme quantises every product
        others = sorted({found.precision, *found.beside} - wanted)
        rows = f"{n} row{'s' if n > 1 else ''}"
        what = f"it runs in {', '.join(others or [found.precision])}, named {named} ({rows}): {found.how}"
        judge(found.precision == named or encoder_key.policy, what, precision=found.precision)
        judge(not others, what, precision=found.precision)
        judge(found.device == encoder_key.device, f"it runs on {found.device}, named {encoder_key.device}: {found.how}")
    if named != "fp32" and not encoder_key.policy:  # a policy is there to make the error smaller
        own, error = (
            golden.on(encoder_key.device).measured(encoder_key.tolerance, tower, "cosine_distance"),
            drift.comparison("cosine_distance").values.max(),
        )
        record(f"evidence.{tower}", {"error": float(error), "error_of_precision": own})
        more = f"its error, {error:.3g}, is too small for {named}, whose own is {own:.3g}: it ran in more"
        judge(error > own / SIGNATURE or (found and found.precision != named), more, precision=f"more than {named}")
