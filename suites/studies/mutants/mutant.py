"""The outside backend in which a drawn fault is planted: a torch encoder behind the public interface of an encoder."""

import json
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from fixtures.backends.torch_dynamic_int8 import TorchDynamicInt8
from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Array, Encoder, Evidence, Tower
from suites.studies.mutants.effects import changed, tokens_changed
from suites.studies.mutants.grammar import Draw
from suites.studies.mutants.memory import Known
from suites.studies.mutants.triggers import Trigger

if TYPE_CHECKING:
    from fixtures.models import Model

VARIABLE = "MUTANT"  # a draw as JSON
GROWTH_CALLS = 200  # a fault of state reaches its strength after so many calls
LATE_S = 0.02


def load_draw(text: str) -> Draw | None:
    """Of the variable; None for a sound encoder, which shows that the campaign itself raises no alarm."""
    return Draw(**json.loads(text)) if text else None


class Mutated(Encoder):
    """A good encoder with the drawn fault around it. Stages are the good one's, so `encode` is what is wrong."""

    def __init__(self, good: Encoder | Known, draw: Draw) -> None:
        self.good, self.draw, self.trigger = good, draw, Trigger(draw)
        self.last: dict[Tower, Array] = {}
        self.answers: dict[object, Array] = {}
        self.buffers: dict[Tower, deque[Array]] = {}
        self.shown = 0.0  # the largest relative difference from the good encoder, in what was returned

    def upload(self, batch: Any, tower: Tower) -> object:
        """Nothing yet: `download` needs the batch as it came."""
        return batch, tower

    def forward(self, batch: Any, tower: Tower) -> object:
        """The faulty result."""
        return self._result(*batch)

    def download(self, embedding: Any) -> Array:
        """As it is."""
        result: Array = embedding
        return result

    def evidence(self, batch: Any, tower: Tower) -> Evidence | None:
        """None: nobody can look into a backend of somebody else."""
        return None

    def _result(self, batch: Any, tower: Tower) -> Array:
        try:
            good = self.good.encode(batch, tower)
        except Exception:
            self.trigger.trouble()
            raise
        hit = self.trigger.rows(batch, tower)
        if batch.dtype.kind == "f" and not np.isfinite(batch).all():
            self.trigger.trouble()
        found = self._faulty(batch, tower, good, hit) if len(batch) else good
        if np.isfinite(good).all() and found.shape == good.shape and len(good):
            self.shown = max(self.shown, relative(found, good))
        self.last[tower] = good
        return found

    def _faulty(self, batch: Any, tower: Tower, good: Array, hit: Any) -> Array:
        draw = self.draw
        if tower not in draw.towers or draw.where == "layer":  # a layer is changed in the module itself
            return good
        if draw.where in ("pixels", "tokens") and hit.any():
            given = changed(batch, hit, draw) if draw.where == "pixels" else tokens_changed(batch, hit, draw)
            return self.good.encode(given, tower)
        if draw.where == "cache":
            return self.answers.setdefault(self._key(batch, tower), good.copy()).copy()
        if draw.where == "buffer":
            return self._buffered(good, tower)
        if draw.where == "state":
            grown = draw.strength * min(1.0, self.trigger.calls / GROWTH_CALLS)
            return np.asarray(changed(good, hit, Draw(**{**vars(draw), "strength": grown})))
        return np.asarray(changed(good, hit, draw, self.last.get(tower)))

    def _key(self, batch: Any, tower: Tower) -> object:
        match self.draw.what:
            case "beginning":  # of the memory, as a cache does that hashes too little
                return tower, batch.shape, batch.reshape(len(batch), -1)[:, : 2 + self.draw.number % 62].tobytes()
            case "mean":
                return tower, batch.shape, np.round(batch.mean(), 1 + self.draw.number % 5)
            case "address":
                return tower, batch.shape, batch.ctypes.data
        return tower, batch.shape if self.draw.number % 2 else len(batch)

    def _buffered(self, good: Array, tower: Tower) -> Array:
        if self.draw.what == "late":
            late = self.last[tower].copy() if self.last.get(tower, good[:0]).shape == good.shape else np.zeros_like(good)

            def finish() -> None:
                time.sleep(LATE_S * self.draw.strength)
                np.copyto(late, good)

            threading.Thread(target=finish).start()
            return late
        turns = self.buffers.setdefault(tower, deque(np.empty((128, good.shape[1]), np.float32) for _ in range(self.turns)))
        turns.rotate(-1)
        buffer: Array = turns[0][: len(good)] if len(good) <= 128 else good
        buffer[:] = good
        return buffer

    @property
    def turns(self) -> int:
        """How many results last: 1 to 16."""
        return 1 + self.draw.number % 16


def relative(found: Array, good: Array) -> float:
    """The largest difference of a row, as a share of the good row's length; 1 for rows that are not finite."""
    distance = np.linalg.norm(found.astype(np.float64) - good, axis=1) / np.linalg.norm(good.astype(np.float64), axis=1)
    return float(np.nan_to_num(distance, nan=1.0, posinf=1.0).max())


def sound(model: "Model", precision: str, device: str) -> Encoder:
    """The good encoder of a precision."""
    backend = TorchDynamicInt8() if precision == "int8" else TorchEager()
    return backend.load(model, precision, device)


def mutated(model: "Model", precision: str, device: str, draw: Draw) -> Mutated:
    """The good encoder with the fault."""
    good = sound(model, precision, device)
    if draw.where == "layer":
        _change_layer(good, draw)
        return Mutated(good, draw)
    return Mutated(Known(good), draw)


def _change_layer(good: Any, draw: Draw) -> None:
    """One weight of one tower: some of its values, by the drawn strength."""
    import torch

    rng, weights = draw.generator(), dict(good.module.named_parameters())
    of_text = ("transformer.", "token_embedding", "positional_embedding", "text_projection", "ln_final")
    wanted = [part for tower in draw.towers.split(" and ") for part in (of_text if tower == "text" else ("visual.",))]
    weight = weights[str(rng.choice(sorted(name for name in weights if name.startswith(tuple(wanted)))))]
    values = weight.detach().float().numpy().reshape(1, -1).copy()
    if draw.what == "scale":
        values *= np.float32(1 + draw.strength)
    else:
        values = changed(values, np.ones(1, bool), draw)
    with torch.no_grad():
        weight.copy_(torch.from_numpy(values.reshape(weight.shape)))


class Mutant(TorchEager):
    """What users name: `--backend suites.studies.mutants.mutant:Mutant`, with the draw in $MUTANT."""

    name = "mutant"
    precisions = ("fp32", "fp16", "int8")
    policies: tuple[str, ...] = ()
    known_failures = {f"{promise}:int8": known for promise, known in TorchDynamicInt8.known_failures.items()}

    def load(self, model: "Model", precision: str, device: str) -> Encoder:
        """The mutant, or a sound encoder where there is no draw."""
        wanted = load_draw(os.environ.get(VARIABLE, ""))
        if wanted is None:
            return sound(model, precision, device)
        encoder = mutated(model, precision, device, wanted)
        LOADED.append(encoder)
        return encoder


LOADED: list[Mutated] = []  # for what they have shown
