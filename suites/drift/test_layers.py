"""What a cell promises inside: layers like their neighbours, numbers that fit their type, bounded drift on the worst inputs."""

import numpy as np
import pytest

from fixtures import truth
from fixtures.capability import Encoder, Tower
from fixtures.cells import EncoderKey
from fixtures.errors import Unavailable
from plugins.cells.promises import Judge
from plugins.golden.verified import Golden
from plugins.measures.drift.inputs import kept
from plugins.measures.drift.inputs.worst import inputs
from plugins.measures.drift.layers.findings import findings, headroom
from plugins.measures.drift.layers.profile import Profile, profile
from plugins.measures.vectors.metrics import Comparison, cosine_distance
from plugins.report.rows import Record
from plugins.subjects import Subjects
from suites.studies.drift.audit import as_json
from suites.studies.drift.sampling import Budget, sample


@pytest.fixture
def watched(subjects: Subjects, encoder_key: EncoderKey, tower: Tower) -> Profile:
    """The tower's layers beside float64; a skip with the reason if a cell cannot be inspected."""

    def measure() -> Profile | Unavailable:
        exact = subjects.once("float64 module", lambda: subjects.model.module().double())
        encoder = subjects.encoder(encoder_key).encoder
        try:
            return profile(exact, encoder, sample(subjects, tower, Budget(subjects.model).layers), tower)
        except Unavailable as reason:
            return reason

    found = subjects.once(("layers", str(encoder_key), tower), measure)
    if isinstance(found, Unavailable):
        pytest.skip(f"{encoder_key}: {found}")
    return found


def test_own_error(watched: Profile, tower: Tower, judge: Judge, record: Record) -> None:
    """D1 no layer stands out: what it adds to the error, replayed in float64 on its own inputs, is like its neighbours'."""
    record(f"layers.{tower}", as_json(watched))
    jumps = [finding for finding in findings(watched.rows) if finding.what == "jump"]
    judge(not jumps, "; ".join(f"{finding.layer}: {finding.sentence}" for finding in jumps))


def test_range(watched: Profile, judge: Judge) -> None:
    """D2 no layer overflows: all activations are finite and stay a bit below the largest number of their type."""
    close = [finding for finding in findings(watched.rows) if finding.what != "jump"]
    least = min(watched.rows, key=headroom)
    judge(not close, "; ".join(f"{f.layer} {f.sentence}" for f in close) + f"; least headroom: {least.name}")


def test_worst_inputs(
    subjects: Subjects, golden: Golden, encoder_key: EncoderKey, encoder: Encoder, tower: Tower, judge: Judge, record: Record
) -> None:
    """D3 on the worst inputs that searches found, drift stays within what the reference's own drift on them allows."""
    where = kept.folder(subjects.golden, subjects.model.id)
    finds = [find for find in kept.read(where, subjects.model) if find.tower == tower]
    if not finds:
        pytest.skip(
            f"no worst inputs are kept for these weights of {subjects.model.id}: python -m suites.studies.drift finds them"
        )
    batch = inputs(subjects.model, tower, [find.value for find in finds])
    exact = subjects.once(("worst", tower), lambda: truth.float64(subjects.model, batch, tower, iter))
    names = [find.name for find in finds]
    found = cosine_distance(truth.one_by_one(encoder, batch, tower), exact)
    own = np.array([find.cosine_distance[encoder_key.tolerance] for find in finds])
    drift = Comparison(
        "cosine_distance",
        found,
        golden.on(encoder_key.device).limits_of(encoder_key.tolerance, tower, "cosine_distance", own),
        names,
    )
    record(f"worst_inputs.{tower}", {"cosine_distance": drift.value, "limit": drift.limit, "input": names[drift.worst]})
    judge(drift)
