"""A plug-in for inner runs about sampling: a backend that takes its time, and limits that call a small data set large."""

from typing import TYPE_CHECKING

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Encoder, KnownFailure, Tower
from fixtures.preprocessors.original_clip import OriginalClip
from fixtures.registry import backends, preprocessors
from plugins.cells import sampling
from suites.studies.faults.plants import Altered

if TYPE_CHECKING:
    from fixtures.models import Model


class Repeats(Altered):
    """Gives the right vectors late."""

    def __init__(self, good: Encoder, times: int) -> None:
        super().__init__(good, looks=False)
        self.times = times

    def forward(self, batch: object, tower: Tower) -> object:
        """The last of as many calls."""
        for _ in range(self.times - 1 if tower == "image" else 0):
            super().forward(batch, tower)
        return super().forward(batch, tower)


class Prompt(TorchEager):
    """As quick as the reference."""

    name = "prompt"
    precisions: tuple[str, ...] = ("fp32",)
    times = 1

    def load(self, model: "Model", precision: str, device: str) -> Encoder:
        """See Repeats."""
        return Repeats(super().load(model, precision, device), self.times)


class Late(Prompt):
    """Encodes every image eight times."""

    name = "late"
    times = 8


class Shifted(OriginalClip):
    """A few pixels beside the centre."""

    name = "shifted"

    def transform(self, decoded, geometry):  # type: ignore[no-untyped-def]
        """Eight columns to the left, around the edge."""
        return super().transform(decoded, geometry)[:, :, [*range(8, geometry.size), *range(8)]].copy()


class Pessimist(OriginalClip):
    """Declares what it does not break, with pixels of its own."""

    name = "pessimist"
    known_failures = {
        name: KnownFailure("ours", "says so", {"cosine_distance": 2.0, "points": 100.0}) for name in ("C1", "C2", "R1", "R2")
    }

    def transform(self, decoded, geometry):  # type: ignore[no-untyped-def]
        """One value is off by a rounding error."""
        pixels = super().transform(decoded, geometry)
        pixels[0, 0, 0] += 1e-6
        return pixels


def pytest_configure() -> None:
    """Join the matrix; any data set is worth a sample."""
    backends().update({known.name: known() for known in (Prompt, Late)})
    preprocessors().update({known.name: known() for known in (Shifted, Pessimist)})
    sampling.SLOW = 3.0  # far from one and from eight times, so that a busy machine turns neither into the other
    sampling.LONG_S, sampling.SIZE, sampling.FEWEST_SCENES = 0.0, 16, 2
