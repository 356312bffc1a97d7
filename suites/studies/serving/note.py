"""Measures the serving note's claims: two sides in alternation, and the ratio of their times with a 95 % interval."""

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from typing_extensions import TypedDict

from fixtures.capability import Array
from fixtures.cells import EncoderKey
from fixtures.models import Model, load_model
from fixtures.models.similarity import Similarity
from fixtures.registry import backends, preprocessors
from fixtures.truth import REFERENCE
from plugins.measures.latency.paired import (
    BLOCK_S,
    Call,
    Interval,
    calls_in_a_block,
    clocked,
    median_interval,
    no_garbage_collection,
    pair,
    timed,
)
from plugins.measures.vectors.metrics import Float64, normalised
from plugins.subjects import built
from suites.studies.peers.models import open_clip_folder
from suites.studies.serving.claims import FEWEST, Row, counted, judged
from suites.studies.serving.cold import Start, start
from suites.studies.serving.documents import opened

CONFIDENCE = 0.95
MANY, FEW = 27, 10  # labels
THINGS = (  # the note's, and as many more as it counts without naming them
    *("bee", "flower", "document", "chart", "diagram", "table", "graph", "screenshot", "logo", "text", "person", "map"),
    *("cat", "dog", "car", "tree", "house", "bird", "boat", "chair", "clock", "cup", "fish", "book", "shoe", "bridge", "train"),
)
LABELS = [f"a photo of a {thing}" for thing in THINGS]
BATCH, THREADS = 8, 4
SCALE = 100.0  # as the note writes it
LARGE, LARGER = ("ViT-B-32", "random:0"), ("ViT-B-16", "random:0")  # time does not depend on weights
Step = Callable[[str], None]


class Beside(TypedDict):
    """A new process, and the seconds of an image in one that stays, with cached labels: alone, and in a batch."""

    start: Start
    stays: float
    batch: float


class Classifier:
    """A process that stays: torch eager of one model and precision, and images in turn."""

    def __init__(self, model: Model, precision: str, device: str, images: Sequence[bytes]) -> None:
        self.model, self.device, self.precision = model, device, precision
        self.encoder = built(EncoderKey(model.id, "torch-eager", precision, device), model)
        self.preprocessor, self.turns = preprocessors()[REFERENCE], itertools.cycle(images)

    @cached_property
    def labels(self) -> Float64:
        """All labels' unit vectors, encoded once, float64 [MANY, D]."""
        return normalised(self.texts(MANY))

    def pixels(self, count: int) -> Array:
        """The next images, float32 [count, 3, R, R]."""
        files = [next(self.turns) for _ in range(count)]
        return np.stack([self.preprocessor.transform(opened(file), self.model.geometry) for file in files])

    def images(self, count: int) -> Array:
        """The next images' vectors from one call, [count, D]."""
        return self.encoder.encode(self.pixels(count), "image")

    def texts(self, count: int) -> Array:
        """The first labels' vectors, [count, D]."""
        return self.encoder.encode(self.model.tokenize(LABELS[:count]), "text")

    def classify(self, labels: int, cached: bool) -> Float64:
        """The next image's probabilities, float64 [labels]."""
        image = normalised(self.images(1))[0]
        texts = self.labels[:labels] if cached else normalised(self.texts(labels))
        return Similarity(SCALE).probabilities(texts @ image)


def compared(slow: Call, fast: Call, seconds: float, rng: np.random.Generator) -> Interval:
    """The time of `slow` over that of `fast`, in alternation for about `seconds`, and FEWEST pairs at least.

    A block of one side is the fastest of a few calls, or one call if it takes longer than a block may.
    """
    pairs = list[tuple[float, float]]()
    slow(), fast()
    with no_garbage_collection():
        longest = max(clocked(slow)(), clocked(fast)())
        calls = calls_in_a_block(longest) if longest < BLOCK_S else 1
        ends = time.perf_counter() + seconds
        while len(pairs) < FEWEST or time.perf_counter() < ends:
            pairs.append(pair(timed(slow), timed(fast), rng, calls))
    return enclosed([ours / other for ours, other in pairs])


def enclosed(values: Sequence[float]) -> Interval:
    """The median of positive values with its interval, by the sign test."""
    logs = np.log(np.array(values))
    low, high = median_interval(logs, CONFIDENCE)
    return Interval(float(np.exp(low)), float(np.exp(np.median(logs))), float(np.exp(high)), CONFIDENCE, len(values))


class Note:
    """The claims of one model; `large` and `larger` are the note's ViT-B-32 and ViT-B-16."""

    def __init__(
        self,
        model: Model,
        device: str,
        images: Sequence[Path],
        seconds: float,
        large: tuple[str, str] = LARGE,
        larger: tuple[str, str] = LARGER,
    ) -> None:
        """`seconds`: about so many for each pair of sides."""
        self.model, self.device, self.images, self.seconds = model, device, images, seconds
        self.names, self.rng = (large, larger), np.random.default_rng(0)

    @cached_property
    def sent(self) -> list[bytes]:
        """The images' files."""
        return [path.read_bytes() for path in self.images]

    @cached_property
    def service(self) -> Classifier:
        """The model in fp32."""
        return Classifier(self.model, "fp32", self.device, self.sent)

    def ratio(self, claim: str, slow: Call, fast: Call) -> Row:
        """Measure a claim about a ratio."""
        return judged(claim, compared(slow, fast, self.seconds, self.rng))

    def starts(self, count: int, step: Step) -> list[Beside]:
        """So many new processes, and after each what an image takes in this one."""
        found = []
        with tempfile.TemporaryDirectory(prefix="clip-conformance-") as folder:
            open_clip_folder(self.model, Path(folder))
            stays, batch = clocked(partial(self.service.classify, MANY, cached=True)), clocked(self.batch)
            stays(), batch()
            for number in range(count):
                step(f"claims: new process {number + 1} of {count}")
                new = start(Path(folder), self.images[0], LABELS, FEW, self.device)
                found.append(Beside(start=new, stays=stays(), batch=batch() / BATCH))
        return found

    def batch(self) -> Float64:
        """The probabilities of BATCH images from one call, float64 [BATCH, MANY]."""
        return Similarity(SCALE).probabilities(normalised(self.service.images(BATCH)) @ self.service.labels.T)

    def labels(self, step: Step) -> Iterator[Row]:
        """Labels each time or cached, many or few; images one by one, in a batch, or from several threads."""
        service = self.service
        step(f"claims: {MANY} labels, encoded each time or cached")
        each = {n: partial(service.classify, n, cached=False) for n in (MANY, FEW)}
        cached = {n: partial(service.classify, n, cached=True) for n in (MANY, FEW)}
        yield self.ratio("cached", each[MANY], cached[MANY])
        step(f"claims: {MANY} labels or {FEW}")
        yield self.ratio("labels", each[MANY], each[FEW])
        yield self.ratio("labels when cached", cached[MANY], cached[FEW])
        step(f"claims: {BATCH} images one by one, in a batch, at once")

        def one_by_one() -> None:
            for _ in range(BATCH):
                service.images(1)

        yield self.ratio("batch", one_by_one, partial(service.images, BATCH))
        with ThreadPoolExecutor(THREADS) as threads:
            yield self.ratio("at once", one_by_one, lambda: [*threads.map(lambda _: service.images(1), range(BATCH))])

    def half(self, step: Step) -> Iterator[Row]:
        """fp32 and fp16 of the model."""
        if not backends()["torch-eager"].offers("fp16", self.device):
            yield {"claim": "fp16", "left_out": f"torch-eager has no fp16 on {self.device}"}
            return
        step("claims: fp16")
        other = Classifier(self.model, "fp16", self.device, self.sent)
        slow, fast = (partial(one.classify, MANY, cached=True) for one in (self.service, other))
        yield self.ratio("fp16", slow, fast)

    def models(self, step: Step, whole: bool) -> Iterator[Row]:
        """The two sizes of ViT-B; `whole`: phase 1 too, which takes long."""
        step(f"claims: loading {self.names[0][0]} and {self.names[1][0]}")
        large, larger = (self.model if name == self.model.name else load_model(name, tag) for name, tag in self.names)
        yield counted("size of ViT-B-32", large.parameters / 1e6)
        yield counted("size of ViT-B-16", larger.parameters / 1e6)
        before = self.service if large is self.model else Classifier(large, "fp32", self.device, self.sent)
        after = Classifier(larger, "fp32", self.device, self.sent)
        pixels = before.pixels(1)
        step("claims: ViT-B-32 beside ViT-B-16")
        slow, fast = (partial(side.encoder.encode, pixels, "image") for side in (before, after))
        yield self.ratio("faster", slow, fast)
        if not whole:
            yield {"claim": "phase 1", "left_out": "a quick look leaves it out: it takes a minute"}
            return
        if not backends()["torch-eager"].offers("fp16", self.device):
            yield {"claim": "phase 1", "left_out": f"torch-eager has no fp16 on {self.device}"}
            return
        step("claims: phase 1")
        after = Classifier(larger, "fp16", self.device, self.sent)
        yield self.ratio("phase 1", partial(before.classify, MANY, False), partial(after.classify, FEW, False))


def of_starts(found: Sequence[Beside]) -> list[Row]:
    """The claims about new processes."""
    starts = [one["start"] for one in found]
    values = {
        "process": [1e3 * one["process"] for one in starts],
        "load": [one["load"] for one in starts],
        "baseline": [one["total"] for one in starts],
        "persistent": [one["start"]["total"] / one["stays"] for one in found],
        "everything": [one["start"]["total"] / one["batch"] for one in found],
        "labels in a process": [one["total"] / (one["total"] - one["other_labels"]) for one in starts],
    }
    return [judged(claim, enclosed(listed)) for claim, listed in values.items()]
