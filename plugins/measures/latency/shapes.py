"""The first call of a new shape beside later ones: what compiling anew for a shape costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from typing_extensions import TypedDict

LATER = 2  # calls of the shape behind the first
TIMES = 4.0  # a first call may take so many times a later one: allocations and kernels that are chosen anew take less
TIMES_THE_REFERENCE = 3.0  # and so many times what the reference's does


class ShapeFigures(TypedDict):
    """The first call's time over a later one's, ours and the reference's."""

    ours: float
    reference: float


@dataclass(frozen=True)
class FirstCall:
    """Seconds of the first call of a shape, those that its threads waited for a processor, and of the fastest later call."""

    first_s: float
    waited_s: float
    later_s: float

    @staticmethod
    def of(seconds: Sequence[float], waited: Sequence[float]) -> "FirstCall":
        """Of 1 + LATER calls."""
        return FirstCall(seconds[0], waited[0], min(seconds[1:]))

    @property
    def times(self) -> float:
        """The first over the later one."""
        return self.first_s / self.later_s

    @property
    def at_least(self) -> float:
        """The same without waiting, which is of all threads together: no more than the first call's own time."""
        return max(0.0, self.first_s - self.waited_s) / self.later_s


Found = Mapping[str, tuple[FirstCall, FirstCall]]  # by shape: ours and the reference's


def costly(found: Found) -> list[str]:
    """The shapes whose first call costs too much."""
    return [shape for shape, (ours, other) in found.items() if ours.at_least > max(TIMES, TIMES_THE_REFERENCE * other.times)]


def figures(found: Found) -> dict[str, ShapeFigures]:
    """The form that report.json contains."""
    return {shape: {"ours": ours.times, "reference": other.times} for shape, (ours, other) in found.items()}
