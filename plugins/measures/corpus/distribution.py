"""The distribution of one number over any number of inputs, in parts that are merged in any order with the same result.

DDSketch (Masson, Rim, Lee, VLDB 2019) counts values in bins of equal ratio. Counts add up, so no order of merges changes a
digit, and a quantile is within a stated share of the exact VALUE, which suits drift: it spans ten orders of magnitude. KLL has
an error in RANK instead, and drops values at random.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from typing_extensions import TypedDict

from fixtures.capability import require
from plugins.measures.vectors.metrics import Float64

if TYPE_CHECKING:
    from ddsketch import DDSketch

RELATIVE_ERROR = 0.005  # of a quantile; 230 bins for each order of magnitude
PACKAGES = {"ddsketch": "pip install 'ddsketch[serialization]'"}


class Quantiles(TypedDict):
    """Quantiles over the inputs, within RELATIVE_ERROR; `max` is exact."""

    median: float
    p90: float
    p99: float
    p999: float
    max: float


RANKS = {"median": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}


def available() -> None:
    """Raise Unavailable if the sketch's package is missing."""
    require(PACKAGES)


def _empty() -> "DDSketch":
    from ddsketch import DDSketch

    return DDSketch(RELATIVE_ERROR)


@dataclass
class Distribution:
    """Finite values that are not negative, and the largest of them."""

    sketch: "DDSketch" = field(default_factory=_empty)
    largest: float = 0.0

    def add(self, values: Float64) -> None:
        """Count values [N]."""
        for value in values.tolist():
            self.sketch.add(value)
            self.largest = max(self.largest, value)

    def merge(self, other: "Distribution") -> None:
        """Count the values of another one too."""
        self.sketch.merge(other.sketch)
        self.largest = max(self.largest, other.largest)

    @property
    def count(self) -> int:
        """How many values were added."""
        return int(self.sketch.count)

    @property
    def quantiles(self) -> Quantiles | None:
        """The figures; None if there is no value."""
        if not self.count:
            return None
        found = {name: min(float(self.sketch.get_quantile_value(rank)), self.largest) for name, rank in RANKS.items()}
        return {"median": found["median"], "p90": found["p90"], "p99": found["p99"], "p999": found["p999"], "max": self.largest}

    def to_bytes(self) -> bytes:
        """The bins, in the sketch's own protocol buffer."""
        from ddsketch.pb.proto import DDSketchProto

        return bytes(DDSketchProto.to_proto(self.sketch).SerializeToString())

    @classmethod
    def from_bytes(cls, content: bytes, largest: float) -> "Distribution":
        """What `to_bytes` wrote; raises ValueError for anything else."""
        from ddsketch.pb.ddsketch_pb2 import DDSketch as Message
        from ddsketch.pb.proto import DDSketchProto
        from google.protobuf.message import DecodeError

        try:
            return cls(DDSketchProto.from_proto(Message.FromString(content)), largest)
        except DecodeError as error:
            raise ValueError(" ".join(str(error).split())) from None
