"""Faults in what an encoder gives: embeddings [N, D], float32, raw; `s` is the strength."""

import time
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np

from fixtures.capability import Array, Encoder, Tower
from suites.studies.faults.plants import Altered, Fault, encoder, good, output

if TYPE_CHECKING:
    from fixtures.models import Model


def _text_turned(x: Array, tower: Tower, s: int) -> Array:
    return np.concatenate([x[:, :s][:, ::-1], x[:, s:]], axis=1) if tower == "text" else x


def _constant(x: Array, tower: Tower, s: float) -> Array:
    return (s * np.ones_like(x) + np.float32(1 - s) * x).astype(np.float32)


def _not_finite(x: Array, tower: Tower, s: tuple[str, float]) -> Array:
    x = x.copy()
    rows = {"every row": slice(None), "the last of a batch": slice(len(x) - 1, None)}.get(
        s[0], x[:, 0] > np.percentile(x[:, 0], 97)
    )
    x[rows, 0] = s[1]
    return x


def _dtype(x: Array, tower: Tower, s: tuple[str, str]) -> Array:
    return x.astype(s[0]) if s[1] in (tower, "both") else x


def _neighbours(x: Array, tower: Tower, s: float) -> Array:
    return np.asarray(x + s * (x.mean(axis=0) - x), np.float32)


def _large_batch(x: Array, tower: Tower, s: int) -> Array:
    return x[:, ::-1].copy() if len(x) >= s else x


def _scaled(x: Array, tower: Tower, s: float | None) -> Array:
    return x / np.linalg.norm(x, axis=1, keepdims=True) if s is None else x * np.float32(1 + s)


def _form(x: Array, tower: Tower, s: str) -> Array:
    forms = {
        "squeezed": x[0] if len(x) == 1 else x,
        "a column more": np.pad(x, ((0, 0), (0, 1))),
        "Fortran order": np.asfortranarray(x),
        "a view with gaps": np.repeat(x, 2, axis=1)[:, ::2],
    }
    return forms[s]


_buffers: dict[tuple[str, tuple[int, ...]], Array] = {}


def _reused(x: Array, tower: Tower, s: str) -> Array:
    shape = x.shape if s == "one a shape" else (128, x.shape[1])
    buffer = _buffers.setdefault((s, shape), np.empty(shape, np.float32))[: len(x)]
    np.copyto(buffer, x)
    return buffer


def _noisy(x: Array, tower: Tower, s: float) -> Array:
    return (x * (1 + s * np.random.default_rng().standard_normal(x.shape))).astype(np.float32)


def _early(x: Array, tower: Tower, s: float) -> Array:
    unfinished = np.zeros_like(x)

    def finish() -> None:
        time.sleep(s)
        unfinished[:] = x

    Thread(target=finish).start()
    return unfinished


class _ByAddress(Altered):
    """Remembers its answers by the address of the caller's array, whatever it holds by now."""

    def __init__(self, good: Encoder) -> None:
        super().__init__(good)
        self.answers: dict[tuple[int, tuple[int, ...]], Array] = {}

    def encode(self, batch: Any, tower: Tower) -> Array:
        """From memory where it can."""
        return self.answers.setdefault((batch.ctypes.data, batch.shape), super().encode(batch, tower)).copy()


class _Mixed(Altered):
    """Keeps what was asked last in the object: another thread may have asked since."""

    def __init__(self, good: Encoder, pause_s: float) -> None:
        super().__init__(good)
        self.pause_s = pause_s

    def upload(self, batch: Any, tower: Tower) -> object:
        """Onto the one shelf."""
        self.shelf = self.good.upload(batch, tower)
        return None

    def forward(self, batch: object, tower: Tower) -> object:
        """Of what lies on the shelf by now."""
        time.sleep(self.pause_s)
        return tower, self.good.forward(self.shelf, tower)


def _mixed(model: "Model", device: str, s: float) -> Encoder:
    return _Mixed(good(model, device), s)


FAULTS = (
    Fault(2, "text-tower-wrong", ("E2",), {"192 values turned": 192, "8 values turned": 8, "two values swapped": 2}, output(_text_turned)),
    Fault(3, "constant-output", ("E8",), {"wholly": 1.0, "99 %": 0.99, "90 %": 0.9}, output(_constant)),
    Fault(
        4, "not-finite", ("E1",),
        {"NaN in every row": ("every row", np.nan), "NaN in the last row of a batch": ("the last of a batch", np.nan),
         "Inf for 3 % of inputs": ("some", np.inf)}, output(_not_finite)),
    Fault(
        5, "dtype-changes", ("E1",),
        {"float16": ("float16", "both"), "float64": ("float64", "both"), "float64 for texts": ("float64", "text")}, output(_dtype)),
    Fault(12, "not-synchronised", ("E2", "E7", "E1"), {"20 ms early": 0.02, "1 ms early": 0.001}, output(_early)),
    Fault(
        21, "batch-neighbours", ("E4",),
        {"1 % of the mean": 1e-2, "0.1 %": 1e-3, "0.01 %": 1e-4, "0.001 %": 1e-5, "0.0001 %": 1e-6}, output(_neighbours), must=4),
    Fault(21, "batch-size", ("E2", "E4"), {"from 2 rows on": 2, "from 9": 9, "from 32": 32}, output(_large_batch)),
    Fault(
        24, "scaled-output", ("E5",),
        {"normalised": None, "1 %": 1e-2, "0.1 %": 1e-3, "0.01 %": 1e-4, "0.001 %": 1e-5, "0.0001 %": 1e-6}, output(_scaled), must=5),
    Fault(27, "form", ("E1",), {s: s for s in ("squeezed", "a column more", "Fortran order", "a view with gaps")}, output(_form)),
    Fault(28, "input-buffer-remembered", ("E7", "E2"), {"by address": None}, encoder(lambda model, device, s: _ByAddress(good(model, device)))),
    Fault(28, "buffer-reused", ("E7",), {s: s for s in ("one a shape", "one for all")}, output(_reused)),
    Fault(32, "threads-mixed", ("E10",), {"10 ms apart": 1e-2, "1 ms": 1e-3, "0.1 ms": 1e-4, "no pause": 0.0}, encoder(_mixed), must=3),
    Fault(
        35, "not-deterministic", ("E6",),
        {"1e-3": 1e-3, "1e-5": 1e-5, "1e-6": 1e-6, "1e-7": 1e-7, "1e-8": 1e-8}, output(_noisy), must=4),
)  # fmt: skip
