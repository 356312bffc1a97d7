"""What a cell promises from file to vector."""

from fixtures.cells import Cell
from plugins.cells.promises import Judge
from plugins.cells.sampling import Sample
from plugins.measures.vectors.drift import Drift
from plugins.report.rows import Record


def test_end_to_end(cell: Cell, cell_drift: Drift, sample: Sample | None, judge: Judge, record: Record) -> None:
    """C1 from file to vector, drift stays within the encoder's tolerance and the preprocessor's budget together."""
    record("drift.image", cell_drift.report())
    comparison = cell_drift.comparison("cosine_distance")
    judge(comparison)
    if sample and comparison:
        sample.allow_for("C1", cell)
