"""Measures one cell's drift and latency with chosen operations kept in fp32, for a policy search."""

import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fixtures.capability import Array, Backend, Encoder, Tokens, Tower
from fixtures.models import Model
from fixtures.policies.operations import operations
from fixtures.policies.policy import Policy
from fixtures.truth import BATCH
from plugins.measures.drift.policies.search import Kept
from plugins.measures.latency.paired import Interval, interval, no_garbage_collection, pair, timed
from plugins.measures.vectors.drift import Drift
from plugins.measures.vectors.metrics import cosine_distance

CONFIDENCE = 0.95
FEWEST_PAIRS = 20


@dataclass(frozen=True)
class Target:
    """Inputs of one tower, golden's embeddings of them, and the allowed distance from these."""

    batch: Array | Tokens
    wanted: Array  # [N, D], raw
    names: list[str]
    limits: dict[str, NDArray[np.float64]]  # by metric, [N]

    def shares(self, found: Array) -> NDArray[np.float64]:
        """Return the largest share of a limit that each row uses [N]; infinite if an embedding is not finite."""
        drift = Drift(self.batch, found, self.wanted, self.names, self.limits)
        return np.asarray(np.max([drift.comparison(metric).shares for metric in self.limits], axis=0))

    def drift(self, found: Array) -> tuple[float, float]:
        """Return the worst input's share of its budget, and its cosine distance; infinite if an embedding is not finite."""
        worst = float(cosine_distance(found, self.wanted).max())
        return float(self.shares(found).max()), worst if np.isfinite(worst) else float("inf")

    def rows(self, chosen: list[int]) -> "Target":
        """Return a target with only the chosen inputs."""
        limits = {metric: limit[chosen] for metric, limit in self.limits.items()}
        return Target(self.batch[chosen], self.wanted[chosen], [self.names[i] for i in chosen], limits)

    def within(self, cosine: float | None) -> "Target":
        """Return a target with a cosine distance that no input may exceed; None leaves the limits unchanged."""
        if cosine is None:
            return self
        return replace(self, limits={**self.limits, "cosine_distance": np.minimum(self.limits["cosine_distance"], cosine)})


class Trial:
    """A low-precision cell on which sets of operations are tried."""

    def __init__(self, backend: Backend, model: Model, base: str, device: str, builds: Path) -> None:
        """Load the cell; `builds` is the folder for temporary exports of the tried sets."""
        self.backend, self.model, self.base, self.device, self.builds = backend, model, base, device, builds
        self.low = backend.load(model, base, device)
        self.exact: Any = model.module().to(device)
        self.known = operations(self.exact, model.projections)

    def policy(self, kept: Kept, name: str = "tried") -> Policy:
        """Return a policy that keeps these operations in fp32."""
        return Policy(name, self.base, tuple(sorted(kept)), self.model.weights_sha256)

    def encoder(self, kept: Kept) -> Encoder:
        """Build an encoder that keeps these operations in fp32; the low-precision encoder if there are none."""
        if not kept:
            return self.backend.load(self.model, self.base, self.device)
        return self.backend.load_policy(self.model, self.policy(kept), self.device, self.builds)

    def encode(self, kept: Kept, batch: Array | Tokens, tower: Tower) -> Array:
        """Return raw embeddings [N, D]; operations are swapped in place if the cell supports it, which needs no build."""
        in_place = self.low.keeping(self.exact, sorted(kept))
        with np.errstate(over="ignore", invalid="ignore"), in_place or nullcontext():
            return _all(self.low if in_place else self.encoder(kept), batch, tower)

    def drift(self, kept: Kept, target: Target, tower: Tower) -> tuple[float, float]:
        """Return the drift with these operations in fp32; see Target.drift."""
        return target.drift(self.encode(kept, target.batch, tower))

    def latency(self, kept: Kept, batch: Array | Tokens, tower: Tower, seconds: float) -> dict[str, float]:
        """Time batch 1 with these operations in fp32 against none, in alternation: p50 in ms, and the interval of the ratio."""
        ours = self.encoder(kept) if kept else self.low
        found, p50, low_p50 = alternated(ours, self.low, batch[:1], tower, seconds)
        return {"p50_ms": p50, "low_p50_ms": low_p50, "ratio": found.ratio, "low": found.low, "high": found.high, "n": found.n}


def alternated(
    ours: Encoder, other: Encoder, batch: Array | Tokens, tower: Tower, seconds: float
) -> tuple[Interval, float, float]:
    """Time two encoders in alternation: the interval of the ratio of their times, and the p50 of each in ms."""
    blocks = [timed(lambda encoder=encoder: encoder.encode(batch, tower)) for encoder in (ours, other)]  # type: ignore[misc]
    for block in blocks:
        block(5)
    pairs: list[tuple[float, float]] = []
    rng, started = np.random.default_rng(0), time.perf_counter()
    with no_garbage_collection():
        while len(pairs) < FEWEST_PAIRS or time.perf_counter() - started < seconds:
            pairs.append(pair(blocks[0], blocks[1], rng, calls=1))
    times = np.array(pairs)
    p50, other_p50 = (1e3 * np.median(times, axis=0)).tolist()
    return interval(times, CONFIDENCE), p50, other_p50


def _all(encoder: Encoder, batch: Array | Tokens, tower: Tower) -> Array:
    encoder.restore_settings()
    return np.concatenate([encoder.encode(batch[i : i + BATCH], tower) for i in range(0, len(batch), BATCH)])
