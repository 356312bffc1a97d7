"""A backend that runs in a worker and goes wrong there in the way it is told to."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from fixtures.capability import Array, Encoder, Evidence, Tokens, Tower
from fixtures.errors import Unavailable
from fixtures.worker.isolated import IsolatedBackend


class Stubborn(IsolatedBackend):
    """The precision says what goes wrong: "fine", "crash", "hang", "raise" or "refuse"."""

    name = "stubborn"
    environment = "stubborn"
    precisions = ("fine", "crash", "hang", "raise", "refuse")

    def python(self) -> Path:
        """This interpreter, in a process of its own."""
        return Path(sys.executable)

    def prepare(self, model: Any, precision: str, device: str) -> dict[str, str]:
        """Nothing but a mark that must arrive."""
        return {"mark": "seen"}

    def open(self, prepared: dict[str, str], precision: str, device: str) -> Encoder:
        """Refuses at once, or later in its own way."""
        if precision == "refuse":
            raise Unavailable("no engine for this processor: buy another")
        assert prepared == {"mark": "seen"}
        return StubbornEncoder(precision)


class StubbornEncoder(Encoder):
    """An embedding is the mean of each input, twice."""

    max_batch = 2

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def upload(self, batch: Array | Tokens, tower: Tower) -> Any:
        """As it is."""
        return batch

    def forward(self, batch: Any, tower: Tower) -> Any:
        """Where things go wrong."""
        if self.mode == "crash":
            print("about to divide by zero", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.mode == "hang":
            time.sleep(600)
        if self.mode == "raise":
            raise ValueError("shapes do not match")
        return np.repeat(batch.reshape(len(batch), -1).mean(axis=1, keepdims=True), 2, axis=1)

    def download(self, embedding: Any) -> Array:
        """float32."""
        return np.asarray(embedding, np.float32)

    def evidence(self, batch: Array | Tokens, tower: Tower) -> Evidence | None:
        """The process that it really runs in."""
        return Evidence("fp32", "cpu", f"process {os.getpid()}, {len(batch)} {tower} rows", beside=("int8",))
