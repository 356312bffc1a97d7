"""The worker's side of far.py: opens any encoder by its class, where there may be no pytest and no torch."""

import importlib
from typing import Any

from fixtures.capability import Encoder


class Opener:
    """As an isolated backend's `open` is called."""

    packages = ("onnxruntime",)

    def open(self, prepared: dict[str, Any], precision: str, device: str) -> Encoder:
        """The encoder of `prepared`'s class and arguments."""
        kind: Any = getattr(importlib.import_module(prepared["module"]), prepared["name"])
        encoder: Encoder = kind(*prepared["arguments"], **prepared["named"])
        return encoder
