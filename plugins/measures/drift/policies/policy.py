"""Finds the smallest precision policy that brings a cell within its drift budget, and the policy's latency cost."""

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fixtures.capability import Array, Backend, Tower
from fixtures.policies.operations import levels, parts
from fixtures.policies.policy import Policy, as_text
from fixtures.storage.atomic import write_text
from plugins.measures.drift.policies.frontier import figures, frontier, share_of
from plugins.measures.drift.policies.search import Found, Kept, Search, in_parts
from plugins.measures.drift.policies.trial import Target, Trial

if TYPE_CHECKING:
    from fixtures.models import Model

TRIED = 16  # worst inputs of a tower on which sets are tried; the result is checked on all inputs
ROUNDS = 4  # searches; each adds the inputs on which the previous result failed
SECONDS = 0.8  # per timed set
Say = Callable[[str], None]


def find_policy(
    backend: Backend,
    model: "Model",
    base: str,
    device: str,
    targets: Mapping[Tower, Target],
    name: str,
    say: Say = lambda _: None,
    seconds: float = SECONDS,
    with_frontier: bool = True,
    tried: int = TRIED,
) -> tuple[Policy | None, dict[str, Any]]:
    """Return the smallest policy that brings a cell within budget, and the measurements by tower.

    `targets` hold each tower's inputs, golden's embeddings and the budget. The policy is None if nothing has to be kept
    (found["within"] is true) or if not even all operations in fp32 are enough (found["reached"] is false).
    Each set is timed for `seconds`; 0 disables timing and the frontier. Sets are tried on the `tried` worst inputs first.
    """
    with tempfile.TemporaryDirectory(prefix="policy-") as builds:
        trial = Trial(backend, model, base, device, Path(builds))
        towers = {str(tower): _tower(trial, tower, target, say, seconds, tried) for tower, target in targets.items()}
        answers = {tower: towers[tower].pop("answer") for tower in targets}
        for tower in targets if seconds and with_frontier else ():
            if answers[tower].kept:
                sample = targets[tower].rows(answers[tower].chosen)
                towers[tower]["frontier"] = frontier(trial, tower, sample, answers[tower].search, say, seconds)
    kept = sorted(operation for row in towers.values() for operation in row.get("kept", []))
    found = {
        "backend": backend.name,
        "base": base,
        "device": device,
        "towers": towers,
        "within": all(share_of(row["low"]) <= 1 for row in towers.values()),
        "reached": all("kept" in row for row in towers.values()),
    }
    if not found["reached"] or not kept:
        return None, found
    measured = {tower: _header(row) for tower, row in towers.items() if row["kept"]}
    return Policy(name, base, tuple(kept), model.weights_sha256, {"backend": backend.name, "device": device, **measured}), found


def write_policy(policy: Policy, target: Path) -> Path:
    """Write the policy's file atomically and return its path."""
    write_text(target, as_text(policy))
    return target


def _header(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return one tower's figures for the policy's file."""
    before = {f"{key}_without": value for key, value in row["low"].items()}
    return {key: value for key, value in row["own"].items() if key != "n"} | before


def _tower(trial: Trial, tower: Tower, target: Target, say: Say, seconds: float, tried: int) -> dict[str, Any]:
    """Return one tower's drift without a policy, the smallest set, whether it is proved smallest, and its latency."""
    low = trial.encode(frozenset(), target.batch, tower)
    row: dict[str, Any] = {"inputs": len(target.names), "low": figures(*target.drift(low))}
    answer = _smallest(trial, tower, target, low, say, tried)
    search, found, kept = answer.search, answer.found, answer.kept
    row |= {"operations": len(search.operations), "sets": len(search.measured), "answer": answer}
    if found is None or answer.embeddings is None:
        return row | {"best": figures(*trial.drift(frozenset(search.operations), target, tower))}
    row |= {"kept": sorted(kept), "necessary": sorted(found.necessary), "own": figures(*target.drift(answer.embeddings))}
    of_all = search.operations != levels(trial.known, tower)[0]  # a light set may have more operations than a heavy one
    row["smallest"] = len(kept) <= 1 or (of_all and found.smallest and len(kept) == len(found.kept or ()))
    if seconds and kept:
        say(f"{tower} tower, timing")
        row["own"] |= trial.latency(kept, target.batch, tower, seconds)
    return row


@dataclass(frozen=True)
class Answer:
    """The result of a tower's search; `embeddings` is None if no set is enough."""

    search: Search
    chosen: list[int]  # the worst inputs without a policy, and with the policies tried
    kept: Kept = frozenset()
    found: Found | None = None
    embeddings: Array | None = None  # of all inputs, with `kept` in fp32


def _smallest(trial: Trial, tower: Tower, target: Target, low: Array, say: Say, tried: int) -> Answer:
    """Search on the worst inputs, check on all, and search again with the inputs on which the result failed."""
    chosen = _worst(target.shares(low), tried)
    kept, stricter = frozenset[str](), 1.0
    for operations in levels(trial.known, tower):  # light ones; all; larger ones, if rounding between small ones is too much
        for _ in range(ROUNDS):
            search = Search(operations, _measure(trial, tower, target.rows(chosen), say, stricter))
            found = search.run(first=kept)
            if found.kept is None:
                break
            kept = search.drop(in_parts(found.kept, partial(parts, trial.known), search.share))
            embeddings = trial.encode(kept, target.batch, tower) if kept else low
            shares, on_sample = target.shares(embeddings), search.share(kept) / stricter
            chosen = sorted({*chosen, *_worst(shares, tried)})
            worst = float(shares.max())
            if worst <= 1:
                return Answer(search, chosen, kept, found, embeddings)
            if math.isfinite(worst) and on_sample > 0:  # rows may depend on the batch (dynamic int8): add a margin
                stricter = max(stricter, worst / on_sample)
    return Answer(search, chosen)


def _worst(shares: "np.ndarray", count: int) -> list[int]:
    return [int(row) for row in np.argsort(-shares, kind="stable")[:count]]


def _measure(trial: Trial, tower: Tower, sample: Target, say: Say, stricter: float) -> Callable[[Kept], float]:
    tried = 0

    def measure(kept: Kept) -> float:
        nonlocal tried
        tried += 1
        say(f"{tower} tower, {tried} sets measured")
        share = stricter * trial.drift(kept, sample, tower)[0]
        return share if math.isfinite(share) else math.inf

    return measure
