"""The Pareto frontier of drift and latency over sets of operations kept in fp32."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fixtures.capability import Tower
from fixtures.spaced import spaced
from plugins.measures.drift.policies.search import Kept, Search
from plugins.measures.drift.policies.trial import Target, Trial

POINTS = 10  # number of sets that are timed
GROUPS = ("LayerNorm", "attention", "mlp")  # kinds of operations, each also tried with all its operations kept


def figures(share: float, drift: float) -> dict[str, Any]:
    """Return a drift for the report; if it is not finite, {"overflow": True}."""
    return {"share": share, "drift": drift} if math.isfinite(drift) else {"overflow": True}


def share_of(found: Mapping[str, Any]) -> float:
    """Return the share of the budget; infinite if an embedding was not finite."""
    return float(found.get("share", math.inf))


def frontier(
    trial: Trial, tower: Tower, target: Target, search: Search, say: Callable[[str], None], seconds: float
) -> list[dict[str, Any]]:
    """Return worst-input drift and batch-1 latency of selected sets; `pareto` marks those that no other set dominates."""
    points = []
    for label, kept in _sets(trial, search):
        say(f"{tower} tower, timing {label}")
        drift = figures(*trial.drift(kept, target, tower))
        points.append({"label": label, "kept": sorted(kept), **drift, **trial.latency(kept, target.batch, tower, seconds)})
    mark(points)
    return points


def _sets(trial: Trial, search: Search) -> list[tuple[str, Kept]]:
    """Return the labelled sets: nothing, the best measured set of each size, all of each kind, everything."""
    everything = frozenset(search.operations)
    chosen: dict[Kept, str] = {frozenset(): "nothing", everything: "everything"}
    for group in GROUPS:
        of_group = frozenset(operation for operation in everything if trial.known[operation] == group)
        if of_group:
            chosen.setdefault(of_group, f"every {group}")
    best: dict[int, Kept] = {}
    for kept in sorted(search.measured, key=lambda kept: (search.measured[kept], sorted(kept))):
        best.setdefault(len(kept), kept)
    sizes = [size for size in sorted(best) if best[size] not in chosen]
    for place in spaced(len(sizes), max(0, POINTS - len(chosen)), last=False):
        chosen[best[sizes[place]]] = f"best {sizes[place]}"
    return [(label, kept) for kept, label in chosen.items()]


def mark(points: Sequence[dict[str, Any]]) -> None:
    """Set `pareto` of each point: True if no other point is at least as good in drift and latency and better in one."""
    at = [(point.get("drift", math.inf), point["ratio"]) for point in points]
    for point, mine in zip(points, at, strict=True):
        point["pareto"] = not any(all(a <= b for a, b in zip(other, mine, strict=True)) and other != mine for other in at)
