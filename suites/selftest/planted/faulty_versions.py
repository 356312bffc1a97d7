"""Backends that a clone of this repository gets, each of which goes wrong in its own way once FAULTY is true there."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from fixtures.backends.torch_eager import TorchEager

FAULTY = False


class Same(TorchEager):
    """Goes never wrong, and lends the others its encoder."""

    name = "same"
    precisions = ("bf16",)

    def load(self, model: Any, precision: str, device: str) -> Any:
        """torch eager's encoder, changed by `spoil`."""
        encoder: Any = super().load(model, precision, device)
        if FAULTY:
            self.spoil(encoder, encoder.forward, encoder.download)
        return encoder

    def spoil(self, encoder: Any, forward: Callable[..., Any], download: Callable[..., Any]) -> None:
        """Not this one."""


class Slower(Same):
    """Does more work than it needs to, for the same vectors."""

    name = "slower"

    def spoil(self, encoder: Any, forward: Callable[..., Any], download: Callable[..., Any]) -> None:
        """The same forward again, and once more."""
        encoder.forward = lambda batch, tower: [forward(batch, tower) for _ in range(3)][-1]


class Drifting(Same):
    """Moves one value of an embedding a little: within its tolerance for an image, 1 % beyond it for a text."""

    name = "drifting"

    def spoil(self, encoder: Any, forward: Callable[..., Any], download: Callable[..., Any]) -> None:
        """Of the last row, where there is more than one; $STEPS holds both steps."""
        steps = dict(zip(("image", "text"), map(float, os.environ["STEPS"].split()), strict=True))

        def moved(embedding: Any) -> Any:
            tower, output = embedding
            found = download(output)
            if len(found) > 1:
                found[-1, 0] += steps[tower]
            return found

        encoder.forward = lambda batch, tower: (tower, forward(batch, tower))
        encoder.download = moved


class Crashing(Same):
    """Dies in its first call."""

    name = "crashing"

    def spoil(self, encoder: Any, forward: Callable[..., Any], download: Callable[..., Any]) -> None:
        """As native code dies."""

        def crash(batch: Any, tower: str) -> None:
            print("about to divide by zero", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)

        encoder.forward = crash


class Hanging(Same):
    """Never answers, and has a child that never ends."""

    name = "hanging"

    def spoil(self, encoder: Any, forward: Callable[..., Any], download: Callable[..., Any]) -> None:
        """As a lost connection hangs."""

        def hang(batch: Any, tower: str) -> None:
            subprocess.run(["sleep", "600"], check=False)
            time.sleep(600)

        encoder.forward = hang


if FAULTY:

    class Newcomer(Same):
        """Is new in this version."""

        name = "newcomer"
