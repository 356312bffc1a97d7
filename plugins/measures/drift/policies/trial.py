"""One cell's drift and latency with any operations kept in fp32: what a policy search measures."""

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
from plugins.measures.latency.paired import interval, no_garbage_collection, pair, timed
from plugins.measures.vectors.drift import Drift
from plugins.measures.vectors.metrics import cosine_distance

CONFIDENCE = 0.95
FEWEST_PAIRS = 20


@dataclass(frozen=True)
class Target:
    """Inputs of one tower, golden's embeddings of them, and how far from these one may be."""

    batch: Array | Tokens
    wanted: Array  # [N, D], raw
    names: list[str]
    limits: dict[str, NDArray[np.float64]]  # by metric, [N]

    def shares(self, found: Array) -> NDArray[np.float64]:
        """The largest share of a limit that each row uses [N]; infinite where an embedding is not finite."""
        drift = Drift(self.batch, found, self.wanted, self.names, self.limits)
        return np.asarray(np.max([drift.comparison(metric).shares for metric in self.limits], axis=0))

    def drift(self, found: Array) -> tuple[float, float]:
        """Of the worst input: the share of its budget, and the cosine distance; infinite where an embedding is not finite."""
        worst = float(cosine_distance(found, self.wanted).max())
        return float(self.shares(found).max()), worst if np.isfinite(worst) else float("inf")

    def rows(self, chosen: list[int]) -> "Target":
        """Some of the inputs."""
        limits = {metric: limit[chosen] for metric, limit in self.limits.items()}
        return Target(self.batch[chosen], self.wanted[chosen], [self.names[i] for i in chosen], limits)

    def within(self, cosine: float | None) -> "Target":
        """The same with a tighter budget: a cosine distance that no input may exceed; None leaves the limits as they are."""
        if cosine is None:
            return self
        return replace(self, limits={**self.limits, "cosine_distance": np.minimum(self.limits["cosine_distance"], cosine)})


class Trial:
    """A cell of a low precision, on which sets of operations are tried."""

    def __init__(self, backend: Backend, model: Model, base: str, device: str, builds: Path) -> None:
        """`builds` is where exports of sets that are only tried go."""
        self.backend, self.model, self.base, self.device, self.builds = backend, model, base, device, builds
        self.low = backend.load(model, base, device)
        self.exact: Any = model.module().to(device)
        self.known = operations(self.exact, model.projections)

    def policy(self, kept: Kept, name: str = "tried") -> Policy:
        """A policy that keeps these operations in fp32."""
        return Policy(name, self.base, tuple(sorted(kept)), self.model.weights_sha256)

    def encoder(self, kept: Kept) -> Encoder:
        """A new encoder that keeps these operations in fp32; the low-precision encoder for none."""
        if not kept:
            return self.backend.load(self.model, self.base, self.device)
        return self.backend.load_policy(self.model, self.policy(kept), self.device, self.builds)

    def encode(self, kept: Kept, batch: Array | Tokens, tower: Tower) -> Array:
        """Raw embeddings [N, D]; operations are swapped in place where the cell can do that, which costs nothing."""
        in_place = self.low.keeping(self.exact, sorted(kept))
        with np.errstate(over="ignore", invalid="ignore"), in_place or nullcontext():
            return _all(self.low if in_place else self.encoder(kept), batch, tower)

    def drift(self, kept: Kept, target: Target, tower: Tower) -> tuple[float, float]:
        """See Target.drift."""
        return target.drift(self.encode(kept, target.batch, tower))

    def latency(self, kept: Kept, batch: Array | Tokens, tower: Tower, seconds: float) -> dict[str, float]:
        """Batch 1 with these kept against none, in alternation: p50 of both in ms, and the interval of their ratio."""
        low = self.low
        ours = self.encoder(kept) if kept else low
        blocks = [timed(lambda encoder=encoder: encoder.encode(batch[:1], tower)) for encoder in (ours, low)]  # type: ignore[misc]
        for block in blocks:
            block(5)
        pairs: list[tuple[float, float]] = []
        rng, started = np.random.default_rng(0), time.perf_counter()
        with no_garbage_collection():
            while len(pairs) < FEWEST_PAIRS or time.perf_counter() - started < seconds:
                pairs.append(pair(blocks[0], blocks[1], rng, calls=1))
        times = np.array(pairs)
        found = interval(times, CONFIDENCE)
        p50, low_p50 = (1e3 * np.median(times, axis=0)).tolist()
        return {"p50_ms": p50, "low_p50_ms": low_p50, "ratio": found.ratio, "low": found.low, "high": found.high, "n": found.n}


def _all(encoder: Encoder, batch: Array | Tokens, tower: Tower) -> Array:
    encoder.restore_settings()
    return np.concatenate([encoder.encode(batch[i : i + BATCH], tower) for i in range(0, len(batch), BATCH)])
