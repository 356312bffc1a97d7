"""What the reference documents claim about serving, as data, and how a measured interval judges a claim."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal, NotRequired

from typing_extensions import TypedDict

from plugins.measures.latency.paired import Interval

Verdict = Literal["true", "false", "not clear"]
NOTE = "OpenCLIP GPU Performance Analysis & Optimization"  # the note whose sections `source` names
FEWEST = 6  # pairs: the least and the greatest of so many enclose the median with 97 % confidence (the sign test)


@dataclass(frozen=True)
class Claim:
    """A sentence of the note, and the values of what is measured for which it holds: from `least` to `most`, both included."""

    quote: str
    source: str
    measured: str
    unit: str
    least: float
    most: float = inf

    def verdict(self, low: float, high: float, n: int) -> Verdict:
        """True if all of the interval [low, high] of `n` pairs lies in the claim's, false if none does.

        Not clear for an interval of fewer than FEWEST pairs, or one that lies across an end.
        """
        if n < FEWEST:
            return "not clear"
        if self.least <= low and high <= self.most:
            return "true"
        return "false" if high < self.least or low > self.most else "not clear"


class Row(TypedDict):
    """A claim and what was found of it; `left_out` says why nothing was."""

    claim: str  # a key of CLAIMS
    value: NotRequired[float]
    low: NotRequired[float]
    high: NotRequired[float]
    n: NotRequired[int]  # pairs; 0 for a count, which has no interval
    verdict: NotRequired[Verdict]
    left_out: NotRequired[str]


FASTER = 1.0  # "faster": any ratio above
CLAIMS: Mapping[str, Claim] = {
    "process": Claim(
        "Each image classification starts a new Python subprocess … High process creation overhead (100-500ms per image)",
        "Performance Issue Analysis, 1",
        "ms from the start of a process to the first line of its program",
        "ms",
        100,
        500,
    ),
    "load": Claim(
        "OpenCLIP model loads from scratch for each subprocess … 2-5 seconds per subprocess",
        "Performance Issue Analysis, 2",
        "seconds in which a new process creates the model and reads its weights",
        "s",
        2,
        5,
    ),
    "baseline": Claim(
        "Baseline … 3-5 seconds/image",
        "Expected Performance Gains",
        "seconds of a new process for one image, from its start to its end, with 27 labels",
        "s",
        3,
        5,
    ),
    "persistent": Claim(
        "Architecture - 10x improvement … Create persistent classification service … Precompute text features",
        "Implementation Priority, Phase 2",
        "a new process for each image / a process that stays, with cached labels",
        "times",
        10,
    ),
    "everything": Claim(
        "Batch Processing … 0.1-0.2 seconds … 20x",
        "Expected Performance Gains",
        "a new process for each image / an image of a batch of 8 in a process that stays, with cached labels",
        "times",
        20,
    ),
    "labels in a process": Claim(
        "Reduced Labels … 3-5 seconds … 2-3 seconds … 1.5x",
        "Expected Performance Gains",
        "a new process for each image: with 27 labels / with 10",
        "times",
        1.5,
    ),
    "labels": Claim(
        "Reduce text labels from 27 to 10",
        "Implementation Priority, Phase 1; 1.5x: Expected Performance Gains",
        "a process that stays, labels encoded for each image: 27 labels / 10",
        "times",
        1.5,
    ),
    "cached": Claim(
        "27 text labels encoded every time … Unnecessary computation repetition",
        "Performance Issue Analysis, 4",
        "a process that stays, 27 labels: encoded for each image / cached",
        "times",
        FASTER,
    ),
    "labels when cached": Claim(
        "Reduce text labels from 27 to 10",
        "Implementation Priority, Phase 1; 1.5x: Expected Performance Gains",
        "the same with cached labels: 27 labels / 10",
        "times",
        1.5,
    ),
    "batch": Claim(
        "Batch Processing … 0.5-1 second … 0.1-0.2 seconds",
        "Expected Performance Gains",
        "8 images one by one / in one batch",
        "times",
        5,
    ),
    "fp16": Claim(
        "FP16 … 1-2 seconds … 0.5-1 second",
        "Expected Performance Gains",
        "an image with cached labels: fp32 / fp16",
        "times",
        2,
    ),
    "at once": Claim(
        "Asynchronous Processing … Process multiple images concurrently",
        "Performance Optimization Strategies, 4",
        "8 images one after the other / from 4 threads at once",
        "times",
        FASTER,
    ),
    "faster": Claim(
        "ViT-B-16 instead of ViT-B-32 (faster, slightly less accurate)",
        "Performance Optimization Strategies, 3",
        "encoding an image: ViT-B-32 / ViT-B-16",
        "times",
        FASTER,
    ),
    "size of ViT-B-16": Claim(
        "Faster: ViT-B-16 (86M parameters)",
        "Immediate Quick Wins, 2",
        "millions of weights of ViT-B-16, both towers",
        "million",
        85.5,
        86.5,
    ),
    "size of ViT-B-32": Claim(
        "Current: ViT-B-32 (151M parameters)",
        "Immediate Quick Wins, 2",
        "millions of weights of ViT-B-32, both towers",
        "million",
        150.5,
        151.5,
    ),
    "phase 1": Claim(
        "These changes should provide 4x performance improvement with minimal code changes",
        "Recommended Implementation",
        "ViT-B-32 in fp32 with 27 labels / ViT-B-16 in fp16 with 10, labels encoded for each image",
        "times",
        4,
    ),
}


def judged(name: str, found: Interval) -> Row:
    """The row of a claim."""
    verdict = CLAIMS[name].verdict(found.low, found.high, found.n)
    return {"claim": name, "value": found.ratio, "low": found.low, "high": found.high, "n": found.n, "verdict": verdict}


def counted(name: str, value: float) -> Row:
    """The row of a claim about a count, which needs no pairs."""
    verdict = CLAIMS[name].verdict(value, value, FEWEST)
    return {"claim": name, "value": value, "low": value, "high": value, "n": 0, "verdict": verdict}


def by_how_much(row: Row) -> str:
    """What holds instead of a claim that is false, or how far beyond its end a true one is."""
    claim, value = CLAIMS[row["claim"]], row.get("value")
    if value is None:
        return row.get("left_out", "")
    if claim.unit != "times":
        end = claim.least if value < claim.least else claim.most if value > claim.most else None
        return "within" if end is None else f"{value / end:.2g} times {end:g} {claim.unit}"
    claimed = f", claimed {claim.least:g} times" if claim.least > FASTER else ""
    if row["low"] > FASTER:
        return f"{value:.3g} times as fast{claimed}"
    return (f"takes {1 / value:.3g} times as long" if row["high"] < FASTER else "no difference is clear") + claimed
