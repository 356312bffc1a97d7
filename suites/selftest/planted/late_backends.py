"""A plug-in for inner runs: backends that answer from a table, which makes thousands of calls quick, until they go wrong."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Array, Encoder, Tower
from fixtures.registry import backends
from suites.studies.faults.plants import Altered

WRONG: dict[str, Callable[[int], bool]] = {  # by name: whether this call of a tower is wrong
    "never": lambda call: False,
    "late": lambda call: call > 800,
    "seldom": lambda call: call > 400 and call % 100 == 0,
}


class Late(Altered):
    """Every row is encoded once; a wrong call gives the row before's vector."""

    def __init__(self, good: Encoder, wrong: Callable[[int], bool]) -> None:
        super().__init__(good)
        self.wrong, self.table, self.last = wrong, dict[bytes, Array](), dict[Tower, Array]()
        self.calls: dict[Tower, int] = {"image": 0, "text": 0}

    def encode(self, batch: Any, tower: Tower) -> Array:
        """Counts the calls of each tower."""
        self.calls[tower] += 1
        keys = [row.tobytes() for row in batch]
        missing = [i for i, key in enumerate(keys) if key not in self.table]
        if missing or not keys:
            self.table.update(zip([keys[i] for i in missing], super().encode(batch[missing], tower), strict=True))
        found = np.stack([self.table[key] for key in keys]) if keys else super().encode(batch, tower)
        before, self.last[tower] = self.last.get(tower, found), found[-1:].copy()
        return np.repeat(before, len(found), axis=0) if self.wrong(self.calls[tower]) and len(before) == 1 else found


@cache
def backend(name: str) -> TorchEager:
    """Which goes wrong so."""

    class Wrong(TorchEager):
        precisions: tuple[str, ...] = ("fp32",)

        def load(self, model: Any, precision: str, device: str) -> Encoder:
            return Late(super().load(model, precision, device), WRONG[name])

    Wrong.name = f"wrong-{name}"
    return Wrong()


def pytest_configure() -> None:
    """Join the matrix."""
    backends().update({backend(name).name: backend(name) for name in WRONG})
