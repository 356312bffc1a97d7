"""An encoder's vectors beside the ones that they should be, and what of the difference a report shows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fixtures.capability import Array, Tokens
from plugins.measures.vectors.metrics import METRICS, Comparison, absolute_difference


@dataclass(frozen=True)
class Drift:
    """Vectors found and wanted, row by row, with the limit of each metric."""

    inputs: Array | Tokens
    found: Array
    wanted: Array
    names: list[str]
    limits: dict[str, NDArray[np.float64]]  # by metric, [N]

    def comparison(self, metric: str) -> Comparison:
        """One metric over all rows."""
        return Comparison(metric, METRICS[metric](self.found, self.wanted), self.limits[metric], self.names)

    def report(self) -> dict[str, Any]:
        """The report's form of drift."""
        cosine, norm = self.comparison("cosine_distance"), self.comparison("norm_ratio")
        quantiles = dict(zip(("median", "p99", "max"), np.percentile(cosine.values, (50, 99, 100)).tolist(), strict=True))
        return {
            "cosine_distance": quantiles,
            "max_abs": self.comparison("max_abs").value,
            "mean_abs": self.comparison("mean_abs").value,
            "norm_ratio": norm.value,
            "encode_diff": absolute_difference(self.found, self.wanted),
            "tolerance": cosine.limit,
            "share_of_tolerance": float(cosine.shares.max()),
            "worst_input": cosine.inputs[cosine.worst],
        }
