"""One judge for all tools' files: nodes in fp32, drift from golden, and time beside the fp32 file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fixtures.backends.onnxruntime import OnnxEncoder
from fixtures.capability import Array, Tokens, Tower
from plugins.measures.drift.policies.trial import alternated
from plugins.measures.vectors.drift import Quantiles
from plugins.measures.vectors.metrics import cosine_distance
from suites.studies.policies.bare import bare, encoded
from suites.studies.policies.nodes import counted
from suites.studies.policies.rounding import of_graph

SECONDS = 2.0  # of timing


@dataclass(frozen=True)
class Subject:
    """One tower's fp32 file, its inputs, and golden's embeddings of them, raw float32 [N, D]."""

    tower: Tower
    exact: Path
    batch: Array | Tokens
    wanted: Array

    def distances(self, path: Path) -> npt.NDArray[np.float64]:
        """Cosine distance of every input [N] where fp16 results are rounded; infinite where an embedding is not finite."""
        with np.errstate(invalid="ignore"):
            found = cosine_distance(of_graph(path, self.batch), self.wanted)
        return np.where(np.isfinite(found), found, np.inf)


def quantiles(distances: npt.NDArray[np.float64]) -> Quantiles:
    """Over the inputs."""
    median, p99, largest = np.percentile(distances, (50, 99, 100)).tolist()
    return {"median": median, "p99": p99, "max": largest}


def judged(subject: Subject, path: Path) -> dict[str, Any]:
    """Counts, drift, and drift where onnxruntime's CPU provider computes the file in its own way."""
    counts, distances = counted(bare(path).model), subject.distances(path)
    own = OnnxEncoder({subject.tower: str(path)}, "cpu", None)
    stored = encoded(own.sessions[subject.tower], subject.batch)
    return {
        "nodes": counts,
        "fp32_nodes": sum(counts["fp32"].values()),
        "drift": quantiles(distances),
        "distances": [float(f"{one:.4g}") for one in distances],
        "drift_on_cpu": quantiles(cosine_distance(stored, subject.wanted)),
    }


def latency(subject: Subject, path: Path) -> dict[str, float]:
    """Batch 1 on onnxruntime's CPU provider in alternation with the fp32 file: p50 of both in ms, ratio with its interval."""
    ours, exact = (OnnxEncoder({subject.tower: str(each)}, "cpu", None) for each in (path, subject.exact))
    found, p50, exact_p50 = alternated(ours, exact, subject.batch[:1], subject.tower, SECONDS)
    return {"p50_ms": p50, "fp32_p50_ms": exact_p50, "ratio": found.ratio, "low": found.low, "high": found.high, "n": found.n}
