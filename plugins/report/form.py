"""The form of report.json: its keys and values. A figure that a run did not measure is absent, never null or zero."""

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12; torch requires it

from fixtures.capability import Tower
from plugins.measures.drift.answers.flips import MayFlip
from plugins.measures.growth import GrowthFigures
from plugins.measures.latency.device_time import DeviceOnly
from plugins.measures.latency.pauses import PausedFigures
from plugins.measures.latency.shapes import ShapeFigures
from plugins.measures.latency.steady import Percentiles
from plugins.measures.latency.sustained import SustainedFigures
from plugins.measures.soak import SoakFigures
from plugins.measures.storage.beside_golden import InStorage
from plugins.measures.vectors.answers import WorstAnswer
from plugins.measures.vectors.drift import DriftFigures
from plugins.measures.vectors.metrics import Differences
from plugins.measures.vectors.mixtures import Class
from plugins.measures.vectors.recall import Recalls
from plugins.report.form_compared import Against, LatencyRatio, SlowerThanFp32
from plugins.report.form_drift import Direction, Layers, PolicySearch, Ranking, WorstInput
from plugins.run.environment import Fingerprint

Verdict = Literal["pass", "fail", "skipped", "expected-failure"]
Compared = Literal["image", "image_encoder", "text"]  # from file to vector, and each tower on golden's own inputs


class Run(TypedDict):
    """The run itself; `commit` is the suite's own."""

    started: str  # ISO 8601, UTC
    commit: str
    strict: bool
    command: str
    seed: int  # of the inputs that were drawn for this run


class Model(TypedDict):
    """The model under test."""

    name: str
    pretrained: str
    weights_sha256: str
    parameters: int
    embed_dim: int


class PolicyOf(TypedDict):
    """The precision policy of a cell: `keep` names the operations that stay in fp32."""

    base: str
    keep: list[str]


class LabelScore(TypedDict):
    """R@1 in percent of the queries that name so many things, golden's own, and the hits lost and won."""

    score: float
    golden: float
    flips: int
    n: int


class TextToImage(Recalls):
    """R@k in percent; `change` of R@1 in points with its interval; by number of things that a query names, a LabelScore."""

    change: float
    ci95: tuple[float, float]
    n: int


class ImageToText(Recalls, LabelScore):
    """R@k in percent, and R@1 of the cell and of golden."""


class ImageToImage(TypedDict):
    """Agreement of neighbours with golden's."""

    overlap_at_10: float
    kendall_tau: float


class Stay(TypedDict):
    """The share of golden's first answers, and of its ten nearest, that stay."""

    first: float
    nearest: float


class Retrieval(TypedDict, total=False):
    """Recall by direction."""

    text_to_image: TextToImage
    image_to_text: ImageToText
    image_to_image: ImageToImage


class Then(TypedDict):
    """Percentiles in milliseconds of a stored run, and its file."""

    p50: float
    p90: float
    p95: float
    p99: float
    file: str


class EncodeLatency(Percentiles):
    """Batch 1, host to host, in milliseconds; `then` is the stored run that this one was compared with."""

    what: str
    first_call: float
    calls_to_steady: int
    then: NotRequired[Then]


class Latency(TypedDict, total=False):
    """Of each tower, and of a document from file to vector."""

    image: EncodeLatency
    text: EncodeLatency
    document: Percentiles


class Repeated(TypedDict):
    """The median time of an input's second call over that of its first, in so many pairs."""

    ratio: float
    pairs: int


class DecodeTransform(TypedDict):
    """Median milliseconds of a preprocessor's two parts on one file."""

    decode: float
    transform: float


class Stages(TypedDict):
    """Median milliseconds of each stage from file to vector."""

    decode: float
    preprocess: float
    host_to_device: float
    encode: float
    device_to_host: float


class Sampled(TypedDict):
    """The images that a cell ran on instead of all; for a slow encoder, `times_reference` is how much slower it is."""

    images: int
    of: int
    times_reference: NotRequired[float]


class GrowthBeside(GrowthFigures):
    """Resources that calls keep, for the encoder and the reference, or the reason why they were not measured."""

    reference: GrowthFigures | str


class Ran(TypedDict, total=False):
    """The precision in which an encoder really ran, and its error and that of the named precision (cosine distance)."""

    precision: str
    device: str
    how: str
    error: float
    error_of_precision: float


Classed = TypedDict("Classed", {"class": NotRequired[Class]})  # a keyword, so no class body can hold it


class Judged(TypedDict):
    """A cell's verdict and its reasons."""

    verdict: Verdict
    reason: str
    reasons: NotRequired[dict[str, list[str]]]  # of an expected failure: the promises that break for each reason
    broken_promises: list[str]
    not_judged: NotRequired[list[str]]


class StoredBeside(TypedDict):
    """Vectors beside an encoder's that were stored elsewhere: of the worst input."""

    beside: str
    cosine_distance: float
    share_of_limit: float


class Row(Classed, Judged):
    """One cell; without `preprocessor`, an encoder without a selected cell."""

    id: str
    backend: str
    precision: str
    preprocessor: NotRequired[str]
    device: str
    policy: NotRequired[PolicyOf]
    warnings: NotRequired[list[str]]  # warnings of libraries while the encoder was built

    drift: NotRequired[dict[Compared, DriftFigures]]
    pixels: NotRequired[Differences]
    retrieval: NotRequired[Retrieval]
    mixtures_keep_recall: NotRequired[dict[str, bool]]
    answers_stay: NotRequired[dict[str, dict[str, Stay]]]  # by mixture, then by direction
    worst_answer: NotRequired[WorstAnswer]
    may_flip: NotRequired[MayFlip]
    in_storage: NotRequired[dict[str, InStorage]]  # by form: "int8"
    sampled: NotRequired[Sampled]
    evidence: NotRequired[dict[Tower, Ran]]
    int8_range: NotRequired[Literal["full", "reduced"]]
    growth: NotRequired[dict[Tower, GrowthBeside]]
    soak: NotRequired[dict[Tower, SoakFigures]]
    stored: NotRequired[dict[Tower, StoredBeside]]

    latency_ms: NotRequired[Latency]
    latency_device_only_ms: NotRequired[dict[Tower, DeviceOnly]]
    latency_ratio: NotRequired[dict[Tower, LatencyRatio]]
    latency_repeated: NotRequired[dict[Tower, Repeated]]
    latency_sustained: NotRequired[dict[Tower, SustainedFigures]]
    latency_after_pause: NotRequired[dict[Tower, dict[str, PausedFigures]]]  # by pause: "1 s"
    latency_new_shapes: NotRequired[dict[Tower, dict[str, ShapeFigures]]]
    slower_than_fp32: NotRequired[dict[Tower, SlowerThanFp32]]
    preprocess_ms: NotRequired[dict[str, DecodeTransform]]
    stages_ms: NotRequired[Stages]
    load_s: NotRequired[float]
    build_s: NotRequired[float]
    cuda_graphs: NotRequired[bool]
    runs_in: NotRequired[dict[str, str | float]]

    against: NotRequired[Against]
    drift_budget: NotRequired[dict[Tower, float]]  # shares of the budget that the worst inputs take
    policy_search: NotRequired[PolicySearch]
    layers: NotRequired[dict[Tower, Layers]]
    worst_inputs: NotRequired[dict[Tower, WorstInput]]
    ranking: NotRequired[dict[Direction, Ranking]]


class Loaded(TypedDict):
    """Model and cells; empty if no test loaded a model."""

    model: NotRequired[Model]


class Report(Loaded):
    """report.json."""

    schema: Literal[1]
    run: Run
    environment: Fingerprint
    cells: list[Row]
