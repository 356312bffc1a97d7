"""The grammar of faults: where a fault sits, when it shows, what it does, how strongly. A seed and a number give one draw."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Where = Literal["pixels", "tokens", "layer", "output", "batch", "buffer", "cache", "precision", "state"]
When = Literal[
    "always", "length", "batch size", "call number", "content", "thread", "shape", "after trouble", "first call", "other tower"
]

# What can be done at each place. A layer is changed once, so that only "always" fits; state grows with the calls by itself.
WHATS: dict[Where, tuple[str, ...]] = {
    "pixels": ("zero", "swap", "scale", "round", "noise", "neighbour", "truncated", "shifted"),
    "tokens": ("zero", "swap", "neighbour", "truncated"),
    "layer": ("zero", "scale", "noise", "round"),
    "output": ("zero", "swap", "scale", "rotate", "round", "noise", "neighbour", "stale", "truncated"),
    "batch": ("swap", "neighbour", "mean"),
    "buffer": ("stale", "late"),
    "cache": ("beginning", "mean", "shape", "address"),
    "precision": ("fp16", "bf16", "8 bits"),
    "state": ("scale", "rotate", "noise"),
}
WHENS: tuple[When, ...] = When.__args__  # type: ignore[attr-defined]
ONLY_ALWAYS: tuple[Where, ...] = ("layer", "buffer", "cache", "state")
TOWERS = ("image", "text", "image and text")
WEAKEST, STRONGEST = -7.0, 0.0  # powers of ten of a relative change


@dataclass(frozen=True)
class Draw:
    """One fault. `strength` is a relative change; `number` fixes all further choices (which column, which token)."""

    seed: int
    number: int
    where: Where
    when: When
    what: str
    towers: str  # one of TOWERS
    strength: float
    point: int  # the length, batch size or call number that `when` is about
    mode: Literal["only", "from", "every"]  # how `point` is meant

    def __str__(self) -> str:
        points = self.when in ("length", "batch size", "call number")
        when = f"{self.when} ({self.mode} {self.point})" if points else self.when
        return f"{self.where}: {self.what} by {self.strength:.1e}, {when}, {self.towers}"

    def generator(self) -> np.random.Generator:
        """Of the fault's own further choices."""
        return np.random.default_rng((self.seed, self.number, 1))


def draw(seed: int, number: int) -> Draw:
    """The `number`-th fault of a seed, whatever was drawn before it."""
    rng = np.random.default_rng((seed, number, 0))
    where: Where = str(rng.choice(list(WHATS)))  # type: ignore[assignment]
    what = str(rng.choice(WHATS[where]))
    towers = {"pixels": "image", "tokens": "text"}.get(where) or str(rng.choice(TOWERS))
    fitting = [when for when in WHENS if when != "length" or towers == "text"]
    when: When = "always" if where in ONLY_ALWAYS else str(rng.choice(fitting))  # type: ignore[assignment]
    if where == "batch" and when == "always":
        when = "batch size"
    highest = {"length": 77, "batch size": 100, "call number": 300}.get(when, 1)
    lowest = {"length": 2, "batch size": 2 if where == "batch" else 1}.get(when, 1)
    point = round(float(np.exp(rng.uniform(np.log(lowest), np.log(highest)))))
    mode = str(rng.choice(["only", "from", "every"] if when == "call number" else ["only", "from"]))
    strength = float(10 ** rng.uniform(WEAKEST, STRONGEST))
    return Draw(seed, number, where, when, what, towers, strength, point, mode)  # type: ignore[arg-type]
