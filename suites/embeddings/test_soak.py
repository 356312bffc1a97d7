"""What an encoder promises over thousands of calls; only with `--soak SECONDS`."""

import pytest

from fixtures.capability import Encoder, Tower
from fixtures.cells import EncoderKey
from fixtures.progress import ticking
from plugins.cells.compared import Inputs
from plugins.cells.promises import Judge
from plugins.measures.soak import soak
from plugins.measures.vectors.drift import Drift
from plugins.measures.vectors.metrics import Comparison
from plugins.report.rows import Record

COSINE = "cosine_distance"


def test_soak(
    encoder: Encoder,
    encoder_key: EncoderKey,
    drift: Drift,
    tower: Tower,
    inputs: Inputs,
    judge: Judge,
    record: Record,
    pytestconfig: pytest.Config,
) -> None:
    """E18 over thousands of calls, an input keeps its vector: cosine distance to that of its first call within tolerance."""
    seconds = pytestconfig.getoption("--soak")
    with ticking(f"soaking {encoder_key} {tower} for {seconds:g} s"):
        found = soak(encoder, inputs, drift.found, tower, seconds, pytestconfig.getoption("--seed"))
    record(f"soak.{tower}", found.report())
    metric = f"cosine distance of a vector in {found.calls} calls to that of its first (farthest: {found.worst})"
    judge(Comparison(metric, found.distances, drift.limits[COSINE], drift.names, COSINE))
