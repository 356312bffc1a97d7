"""The form of a row's drift audit (`pytest suites/drift`): layers, worst inputs, rankings, and the policy search."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from fixtures.capability import Tower

Direction = Literal["text_to_image", "image_to_text"]


class Spread(TypedDict):
    """Statistics over the inputs."""

    median: float
    max: float


class Layer(TypedDict):
    """One layer: relative errors against float64 (`total` up to here, `own` added here), and how its values fit their type."""

    name: str
    kind: str
    dtype: str
    largest: float
    headroom_bits: float
    flushed_share: float
    total: Spread
    own: Spread
    cosine: Spread
    growth: NotRequired[float]  # of the total error over a block


class Finding(TypedDict):
    """A layer that stands out; a non-finite value is written as text."""

    layer: str
    what: Literal["overflow", "headroom", "jump"]
    value: float | str
    sentence: str


class Layers(TypedDict):
    """A tower layer by layer; `disturbance` is the relative change of the result by the capture itself."""

    how: str
    disturbance: float
    inputs: int
    enters_at: str | None
    first_jump: str | None
    findings: list[Finding]
    layers: list[Layer]


class WorstInput(TypedDict):
    """The kept input that takes the largest share of its limit."""

    cosine_distance: float
    limit: float
    input: str


class Certified(TypedDict):
    """Shares of the queries whose answer no error of the measured size can change, and how many answers did change."""

    certified: float  # as if all vectors had the worst error
    certified_own: float  # with the error of each vector
    changed: int
    n: int


class CertifiedSide(TypedDict, total=False):
    """By kind of answer."""

    first: Certified
    top5: Certified
    top10: Certified
    hit: Certified


class Mixing(TypedDict):
    """First answers that change with golden's index and this cell's queries, and with this cell's index."""

    changed_mixed: int
    changed_reindexed: int
    n: int
    re_index: bool


class Ranking(TypedDict, total=False):
    """By the side that drifted, and old index with new queries."""

    queries: CertifiedSide
    items: CertifiedSide
    both: CertifiedSide
    mixing: Mixing


class PolicyDrift(TypedDict, total=False):
    """The worst input's share of its budget and cosine distance, or `overflow` where a vector is not finite; times in ms."""

    share: float
    drift: float
    overflow: bool
    p50_ms: float
    low_p50_ms: float
    ratio: float
    low: float
    high: float
    n: int


class PolicyPoint(PolicyDrift):
    """A set of operations kept in fp32, with its drift and latency, on or behind the frontier."""

    label: str
    kept: list[str]
    pareto: bool


class PolicyTower(TypedDict):
    """One tower's search: without a policy (`low`), with `kept` in fp32 (`own`), or with everything (`best`), if that fails."""

    inputs: int
    low: PolicyDrift
    operations: int
    sets: int
    best: NotRequired[PolicyDrift]
    kept: NotRequired[list[str]]
    necessary: NotRequired[list[str]]
    own: NotRequired[PolicyDrift]
    smallest: NotRequired[bool]
    frontier: NotRequired[list[PolicyPoint]]


class PolicySearch(TypedDict):
    """The smallest set of operations to keep in fp32."""

    backend: str
    base: str
    device: str
    towers: dict[Tower, PolicyTower]
    within: bool
    reached: bool
