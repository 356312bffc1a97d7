"""What an encoder promises a process that runs for days: a call keeps nothing."""

from fixtures.capability import Tower
from fixtures.cells import EncoderKey
from plugins.cells.given_back import NotBuilt
from plugins.cells.promises import Judge
from plugins.golden.verified import Golden
from plugins.measures.growth import Growth, growth
from plugins.report.rows import Record
from plugins.subjects import LoadedEncoder, Subjects


def test_growth(
    subjects: Subjects, golden: Golden, encoder_key: EncoderKey, tower: Tower, judge: Judge, record: Record
) -> None:
    """E11 calls keep nothing: memory, open files, threads and child processes grow no more than the reference's do."""
    inputs = golden.pixels if tower == "image" else subjects.tokens
    loaded, reference = subjects.encoder(encoder_key), subjects.reference_encoder(encoder_key)

    def look(at: LoadedEncoder, thorough: bool = True) -> Growth:
        return growth(at.encoder, inputs, tower, encoder_key.device, thorough)

    theirs = None
    if isinstance(reference, LoadedEncoder) and reference is not loaded:
        theirs = subjects.once(("growth", str(reference.key), tower), lambda: look(reference))
        loaded.encoder.restore_settings()
    found = look(loaded, thorough=False)
    if not all(found.comparisons(theirs)):
        found = look(loaded)  # a cache may fill for that long; what is kept for good is there again
    record(f"growth.{tower}", {**found.report(), "reference": theirs.report() if theirs else _why(reference)})
    for comparison in found.comparisons(theirs):
        judge(comparison)


def _why(reference: LoadedEncoder | NotBuilt) -> str:
    return reference.why if isinstance(reference, NotBuilt) else "this is the reference"
