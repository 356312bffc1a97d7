"""A plug-in for inner runs: a backend that keeps a build of 1 MB in the cache, quickly made."""

from pathlib import Path

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Encoder
from fixtures.registry import backends
from fixtures.storage.cache import cached


def _build(folder: Path) -> None:
    (folder / "engine.bin").write_bytes(b"engine" * 2**18)


class Keeping(TorchEager):
    """torch eager, which needs none of it."""

    name = "keeping"
    precisions: tuple[str, ...] = ("fp32",)

    def load(self, model, precision, device) -> Encoder:  # type: ignore[no-untyped-def]
        """Build first."""
        cached({"kind": "keeping"}, _build)
        return super().load(model, precision, device)


def pytest_configure() -> None:
    """Join the matrix."""
    backends()["keeping"] = Keeping()
