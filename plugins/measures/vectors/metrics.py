"""Drift metrics in float64, and Comparison, which judges a promise and names the worst input."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """One metric over many inputs, each with a limit; true if every value is finite and within its limit."""

    metric: str
    values: Float64  # [N], 0 is exact equality
    limits: Float64 | float  # [N], or one limit for all
    inputs: Sequence[str]
    measure: str = ""  # the name that bounds of known failures use, if it differs from `metric`

    def __post_init__(self) -> None:
        if len(self.values) != len(self.inputs):
            raise ValueError(f"{self.metric}: {len(self.values)} values for {len(self.inputs)} inputs")

    @property
    def shares(self) -> Float64:
        """Values as shares of their limits [N]; infinite for NaN, Inf, and any value but 0 with a limit of 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(self.values == 0, 0.0, self.values / self.limits)
        return np.where(np.isfinite(shares) & np.isfinite(self.values), shares, np.inf)

    @property
    def worst(self) -> int:
        """Index of the input with the largest share of its limit; among equal shares (a limit of 0), the largest value."""
        most = np.flatnonzero(self.shares == self.shares.max())
        return int(most[np.argmax(np.nan_to_num(self.values[most], nan=np.inf))])

    @property
    def value(self) -> float:
        """The worst input's value."""
        return float(self.values[self.worst])

    @property
    def limit(self) -> float:
        """The worst input's limit."""
        return float(np.broadcast_to(self.limits, self.values.shape)[self.worst])

    @property
    def sizes(self) -> dict[str, float]:
        """The largest value by the metric's name, infinite if a value is not finite; empty if nothing was compared."""
        if not len(self.values):
            return {}
        return {self.measure or self.metric: float(np.where(np.isfinite(self.values), self.values, np.inf).max())}

    def __bool__(self) -> bool:
        return len(self.values) > 0 and bool((self.shares <= 1).all())

    def __str__(self) -> str:
        if not len(self.values):
            return f"{self.metric}: compared nothing"
        beyond = int((self.shares > 1).sum())
        times = f" ({self.value / self.limit:.3g} times the limit)" if self.limit > 0 and np.isfinite(self.value) else ""
        return (
            f"{self.metric} is {self.value:.3g}, allowed {self.limit:.3g}{times}; "
            f"worst input: {self.inputs[self.worst]}; {beyond} of {len(self.values)} inputs beyond the limit"
        )


def normalised(vectors: NDArray[np.floating]) -> Float64:
    """Return rows divided by their Euclidean norm, float64 [N, D]; a zero row becomes NaN, which fails every comparison."""
    rows = np.asarray(vectors, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def cosine_distance(found: NDArray[np.floating], wanted: NDArray[np.floating]) -> Float64:
    """Return 1 - cos per row [N], as half the squared distance of the unit vectors, which is exact for tiny angles."""
    return np.asarray(0.5 * ((normalised(found) - normalised(wanted)) ** 2).sum(axis=-1))


def max_abs(found: NDArray[np.floating], wanted: NDArray[np.floating]) -> Float64:
    """Return the largest absolute difference per row [N], of raw embeddings."""
    return np.asarray(np.abs(np.asarray(found, np.float64) - np.asarray(wanted, np.float64)).max(axis=-1))


def mean_abs(found: NDArray[np.floating], wanted: NDArray[np.floating]) -> Float64:
    """Return the mean absolute difference per row [N], of raw embeddings: the reference documents' "encode diff (mean)"."""
    return np.asarray(np.abs(np.asarray(found, np.float64) - np.asarray(wanted, np.float64)).mean(axis=-1))


def norm_ratio(found: NDArray[np.floating], wanted: NDArray[np.floating]) -> Float64:
    """Return the absolute value of |found| / |wanted| - 1 per row [N]; it detects scaling, which the cosine does not."""
    ratio = np.linalg.norm(np.asarray(found, np.float64), axis=-1) / np.linalg.norm(np.asarray(wanted, np.float64), axis=-1)
    return np.asarray(np.abs(ratio - 1.0))


METRICS = {"cosine_distance": cosine_distance, "max_abs": max_abs, "mean_abs": mean_abs, "norm_ratio": norm_ratio}


def angle(distance: Float64 | float) -> Float64:
    """Return the angle in radians between two vectors of this cosine distance [N]."""
    return np.asarray(2 * np.arcsin(np.sqrt(np.clip(distance, 0.0, 2.0) / 2)))


def add_angles(*distances: Float64 | float) -> Float64:
    """Return the largest cosine distance that several drifts can reach together, by the triangle inequality of angles."""
    together = sum(angle(each) for each in distances)
    return np.asarray(2 * np.sin(np.minimum(together / 2, np.pi / 2)) ** 2)


class Differences(TypedDict):
    """Absolute differences of two arrays, over all their values."""

    mean_abs: float
    p999_abs: float
    max_abs: float


PIXEL_METRICS: tuple[Literal["mean_abs", "p999_abs", "max_abs"], ...] = ("mean_abs", "p999_abs", "max_abs")


def absolute_difference(found: NDArray[np.floating], wanted: NDArray[np.floating]) -> Differences:
    """Return mean, 99.9th percentile and largest absolute difference: the documents' "diff" of pixels or embeddings."""
    difference = np.abs(np.asarray(found, np.float64) - np.asarray(wanted, np.float64))
    return {
        "mean_abs": float(difference.mean()),
        "p999_abs": float(np.percentile(difference, 99.9)),
        "max_abs": float(difference.max()),
    }
