"""What a cell promises from file to vector."""

from plugins.measures import Drift
from plugins.promises import Judge
from plugins.report import Record


def test_end_to_end(cell_drift: Drift, judge: Judge, record: Record) -> None:
    """C1 from file to vector, drift stays within the encoder's tolerance and the preprocessor's budget together."""
    record("drift.image", cell_drift.report())
    judge(cell_drift.comparison("cosine_distance"))
