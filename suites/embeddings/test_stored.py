"""What an encoder promises beside vectors that were computed elsewhere; only with `--compare-vectors FILE`."""

from fixtures.capability import Tower
from fixtures.cells import EncoderKey
from plugins.cells.promises import Judge
from plugins.measures.vectors.drift import Drift
from plugins.report.rows import Record
from plugins.stored.options import StoredVectors


def test_stored(
    encoder_key: EncoderKey, tower: Tower, drift: Drift, elsewhere: StoredVectors, judge: Judge, record: Record
) -> None:
    """E19 vectors may stand beside those stored elsewhere: no farther than two encoders that keep golden's tolerance."""
    name, comparison = elsewhere.comparison(encoder_key, tower, drift)
    record(
        f"stored.{tower}",
        {"beside": name, "cosine_distance": comparison.value, "share_of_limit": float(comparison.shares.max())},
    )
    judge(comparison)
