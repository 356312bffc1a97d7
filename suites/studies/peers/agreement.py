"""When two tools' figures agree: their medians differ by no more than a tool's own figures do from round to round."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rounds:
    """One figure in every round: its median, least and greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Rounds":
        """Of at least one positive value."""
        return cls(statistics.median(values), min(values), max(values))

    @property
    def noise(self) -> float:
        """Greatest over least, minus 1."""
        return self.high / self.low - 1

    def shown(self, digits: int) -> str:
        """With so many digits after the point."""
        return f"{self.median:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


@dataclass(frozen=True)
class Beside:
    """A peer's figure beside ours."""

    peer: Rounds
    ours: Rounds

    @property
    def difference(self) -> float:
        """Of the medians: 0.02 if the peer's is 2 % greater."""
        return self.peer.median / self.ours.median - 1

    @property
    def noise(self) -> float:
        """The greater of both."""
        return max(self.peer.noise, self.ours.noise)

    @property
    def agree(self) -> bool:
        """Whichever of the two is the greater."""
        return max(self.peer.median / self.ours.median, self.ours.median / self.peer.median) - 1 <= self.noise
