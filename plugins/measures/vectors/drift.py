"""An encoder's vectors compared with the expected ones, and the report's figures of the difference."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from fixtures.capability import Array, Tokens
from plugins.measures.vectors.metrics import METRICS, Comparison, Differences, absolute_difference


class Quantiles(TypedDict):
    """Quantiles over the inputs."""

    median: float
    p99: float
    max: float


class DriftFigures(TypedDict):
    """Drift figures of the report; all but the quantiles and `encode_diff` are of the worst input."""

    cosine_distance: Quantiles
    max_abs: float
    mean_abs: float
    norm_ratio: float
    encode_diff: Differences  # over all values, as in the reference documents
    tolerance: float
    share_of_tolerance: float
    worst_input: str


@dataclass(frozen=True)
class Drift:
    """Found and expected vectors, row by row, with the limits of each metric."""

    inputs: Array | Tokens
    found: Array
    wanted: Array
    names: list[str]
    limits: dict[str, NDArray[np.float64]]  # by metric, [N]

    def comparison(self, metric: str) -> Comparison:
        """Return the comparison of one metric over all rows."""
        return Comparison(metric, METRICS[metric](self.found, self.wanted), self.limits[metric], self.names)

    def report(self) -> DriftFigures:
        """Return the drift figures for the report."""
        cosine, norm = self.comparison("cosine_distance"), self.comparison("norm_ratio")
        median, p99, largest = np.percentile(cosine.values, (50, 99, 100)).tolist()
        return {
            "cosine_distance": {"median": median, "p99": p99, "max": largest},
            "max_abs": self.comparison("max_abs").value,
            "mean_abs": self.comparison("mean_abs").value,
            "norm_ratio": norm.value,
            "encode_diff": absolute_difference(self.found, self.wanted),
            "tolerance": cosine.limit,
            "share_of_tolerance": float(cosine.shares.max()),
            "worst_input": cosine.inputs[cosine.worst],
        }
