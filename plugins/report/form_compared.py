"""The form of latency comparisons: with the reference, a stored run, the same cell in fp32, another version."""

from typing import NotRequired

from typing_extensions import TypedDict

from fixtures.capability import Tower
from plugins.measures.latency.decision import Verdict
from plugins.measures.latency.tail import TailFigures


class Change(TypedDict):
    """A ratio, now to then, with its interval."""

    ratio: float
    low: float
    high: float
    confidence: float


class Baseline(TypedDict):
    """The stored run of the comparison; `differs`: fields in which its environment differs."""

    file: str
    datetime: str
    commit: str
    ratio: float
    differs: NotRequired[list[str]]


class Step(TypedDict):
    """Where a cell's level changed; `change` is relative."""

    file: str
    commit: NotRequired[str]
    before: float
    after: float
    change: float


class Trend(TypedDict):
    """A cell's ratio over its stored runs, oldest first."""

    ratios: list[float]
    runs: int
    step: NotRequired[Step]


class LatencyRatio(TypedDict):
    """The time of a call as a ratio to the reference's, measured in alternation."""

    reference: str
    verdict: str
    ratio: float
    low: float
    high: float
    confidence: float
    n: int
    reference_s: float
    change: NotRequired[Change]
    allowed_slowdown: NotRequired[float]
    would_have_seen: NotRequired[float]  # the smallest slowdown that would have failed with 95 % chance: 0.03 is 3 %
    tails: NotRequired[list[TailFigures]]
    baseline: NotRequired[Baseline]
    trend: NotRequired[Trend]


class SlowerThanFp32(TypedDict):
    """A low precision that takes longer than the encoder `than`, with the interval of the ratio."""

    than: str
    ratio: float
    low: float
    high: float


class AccuracyBetween(TypedDict):
    """The largest differences of two versions' vectors, and the input that takes the largest share of a tolerance."""

    cosine_distance: float
    max_abs: float
    share_of_tolerance: float
    worst_input: str


class LatencyBetween(TypedDict):
    """This version's time to the other's, batch 1, in alternation; `usual_ms` of both, this one's first."""

    verdict: Verdict
    ratio: float
    interval: tuple[float, float]
    confidence: float
    allowed: float
    starts: int
    usual_ms: tuple[float, float]
    would_have_seen: float  # the smallest slowdown that would have failed with 95 % chance
    tails: list[TailFigures]


class Against(TypedDict):
    """Two versions side by side; `packages`: those of other versions, "1.30.0 -> 1.31.1"."""

    what: str
    packages: NotRequired[dict[str, str]]
    accuracy: NotRequired[dict[Tower, AccuracyBetween]]
    latency: NotRequired[dict[Tower, LatencyBetween]]
