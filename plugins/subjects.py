"""The fixtures that tests take by name. Each thing is computed once: pixels per preprocessor, embeddings per cell."""

import gc
import hashlib
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pytest

from fixtures.build_warnings import noted
from fixtures.capability import Array, Encoder, Preprocessor, Tokens, Tower
from fixtures.datasets import Dataset, load_dataset
from fixtures.errors import BadInput, Unavailable
from fixtures.models import Model, load_model
from fixtures.progress import ticking
from fixtures.registry import backends, preprocessors
from fixtures.versions import require_usable
from plugins.alternation import anchor, calls_of, reference_key
from plugins.latency import WarmUp, warm_up
from plugins.matrix import Cell, EncoderKey
from plugins.paired import Block

BATCH = 32  # rows per call when whole sets are encoded; also the N of "batch 1 equals its row in a batch of N"
REFERENCE = "original_clip"
TURNS = 8  # inputs that take turns while latency is measured
T = TypeVar("T")


@dataclass
class Pixels:
    """One preprocessor's output for every image: rows into a store that equal images of all preprocessors share."""

    keys: list[bytes]
    store: dict[bytes, Array]

    def rows(self, indices: list[int] | range) -> Array:
        """float32 [n, 3, R, R]."""
        return np.stack([self.store[self.keys[i]] for i in indices])


@dataclass
class LoadedEncoder:
    """The one encoder that is alive, what its first calls cost, and every embedding it has computed."""

    key: EncoderKey
    encoder: Encoder
    load_s: float
    warm_up: dict[str, WarmUp]
    rows: dict[bytes, Array] = field(default_factory=dict)
    warned: list[str] = field(default_factory=list)  # by libraries, while it was built

    def encode(self, batch: Array | Tokens, tower: Tower) -> Array:
        """All rows, BATCH a call."""
        return np.concatenate([self.encoder.encode(batch[i : i + BATCH], tower) for i in range(0, len(batch), BATCH)])


class Subjects:
    """Everything under test in this session, made when first asked for."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._pixels: dict[str, Pixels] = {}
        self._store: dict[bytes, Array] = {}
        self._made: dict[Hashable, Any] = {}
        self._alive: LoadedEncoder | Exception | None = None
        self._alive_key: EncoderKey | None = None
        self._references: dict[EncoderKey, LoadedEncoder | Unavailable] = {}

    @cached_property
    def model(self) -> Model:
        """The model of --model and --pretrained."""
        return load_model(self.config.getoption("--model"), self.config.getoption("--pretrained"))

    @cached_property
    def dataset(self) -> Dataset:
        """The data of --dataset."""
        return load_dataset(self.config.getoption("--dataset"))

    @cached_property
    def tokens(self) -> Tokens:
        """Queries as the model's tokeniser gives them, int64 [Q, L]."""
        return self.model.tokenize(self.dataset.texts)

    def preprocessor(self, name: str) -> Preprocessor:
        """The preprocessor, or a skip with its reason."""
        chosen = preprocessors()[name]
        try:
            chosen.available()
        except Unavailable as reason:
            pytest.skip(f"{name}: {reason}")
        return chosen

    def pixels(self, name: str) -> Pixels:
        """All images through one preprocessor; raises BadInput for a file that cannot be read."""
        if name not in self._pixels:
            preprocess, keys = self.preprocessor(name), []
            for image in self.dataset.images:
                try:
                    row = preprocess(self.dataset.path(image), self.model.geometry)
                except OSError as error:
                    raise self.dataset.unreadable(image, error) from error
                keys.append(hashlib.sha256(row.tobytes()).digest())
                self._store.setdefault(keys[-1], row)
            self._pixels[name] = Pixels(keys, self._store)
        return self._pixels[name]

    def encoder(self, key: EncoderKey) -> LoadedEncoder:
        """The encoder, built when it is not the one alive; the previous one is freed first."""
        if self._alive_key != key:
            self._alive, self._alive_key = None, key
            gc.collect()
            try:
                require_usable(backends()[key.backend], key.base, key.device)
                self._alive = self._load(key)
            except BadInput:
                raise
            except Exception as error:  # it costs this encoder's cells, once, and not the run
                self._alive = error
        if isinstance(self._alive, Unavailable):
            pytest.skip(f"{key}: {self._alive}")
        if not isinstance(self._alive, LoadedEncoder):
            pytest.fail(f"{key} could not be built: {type(self._alive).__name__}: {self._alive}", pytrace=False)
        return self._alive

    def reference(self, key: EncoderKey, tower: Tower) -> tuple[str, Block]:
        """Name and blocks of what `key` is timed against, alive beside it; its encoder is built once a device."""
        other, loaded = reference_key(key), self.encoder(key)
        if other == key:
            return anchor(key.device, loaded.warm_up[tower].steady_ms / 1e3)
        if other not in self._references:
            try:
                require_usable(backends()[other.backend], other.precision, other.device)
                self._references[other] = self._load(other)
            except Unavailable as reason:
                self._references[other] = reason
            loaded.encoder.resume()
        reference = self._references[other]
        if isinstance(reference, Unavailable):
            pytest.skip(f"nothing to time {key} against: {other}: {reference}")
        return str(other), calls_of(reference.encoder, self.turns(tower), tower)

    def turns(self, tower: Tower) -> list[Array | Tokens]:
        """The inputs of latency figures, one a call: not the same one again and again, or an encoder that remembers its last
        answers would be timed at remembering."""
        if tower == "text":
            return [self.tokens[i : i + 1] for i in range(min(TURNS, len(self.dataset.queries)))]
        return [self.pixels(REFERENCE).rows([i]) for i in range(min(TURNS, len(self.dataset.scenes)))]

    def _load(self, key: EncoderKey) -> LoadedEncoder:
        """Build an encoder and bring both towers to steady state with one image and one text."""
        pixels, tokens, warned = self.pixels(REFERENCE).rows([0]), self.tokens[:1], list[str]()
        with ticking(f"building {key}"), noted(warned):
            started = time.perf_counter()
            encoder = built(key, self.model)
            load_s = time.perf_counter() - started - (encoder.build_s or 0.0)
            calls = {"image": lambda: encoder.encode_image(pixels), "text": lambda: encoder.encode_text(tokens)}
            warm = {tower: warm_up(call) for tower, call in calls.items()}
            return LoadedEncoder(key, encoder, load_s, warm, warned=warned)

    def warned(self, key: EncoderKey) -> list[str]:
        """What libraries warned about while the living encoder was built, at first or by a later call; else nothing."""
        loaded = self._alive if self._alive_key == key else None
        return list(dict.fromkeys([*loaded.warned, *loaded.encoder.warned])) if isinstance(loaded, LoadedEncoder) else []

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result of `make`, kept for the session."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]  # type: ignore[no-any-return]

    def traits(self, image: str) -> tuple[str, ...]:
        """The data set's traits of an image, what its promise goes by first."""
        return self.once(("traits", image), lambda: self.dataset.traits(image, self.model.geometry))

    def trait(self, image: str) -> str:
        """The one that its promise goes by."""
        return self.traits(image)[0]

    def image_embeddings(self, cell: Cell) -> Array:
        """Raw embeddings of all images, float32 [N, D]; equal pixels are encoded once."""
        loaded, pixels = self.encoder(cell.encoder), self.pixels(cell.preprocessor)
        first = {key: row for row, key in reversed(list(enumerate(pixels.keys))) if key not in loaded.rows}
        todo = sorted(first.values())
        for start in range(0, len(todo), BATCH):
            part = todo[start : start + BATCH]
            for row, embedding in zip(part, loaded.encoder.encode_image(pixels.rows(part)), strict=True):
                loaded.rows[pixels.keys[row]] = embedding
        return np.stack([loaded.rows[key] for key in pixels.keys])

    def text_embeddings(self, key: EncoderKey) -> Array:
        """Raw embeddings of all queries, float32 [Q, D]."""
        loaded, name = self.encoder(key), b"texts"
        if name not in loaded.rows:
            loaded.rows[name] = loaded.encode(self.tokens, "text")
        return loaded.rows[name]


def built(key: EncoderKey, model: Model) -> Encoder:
    """What the key's backend builds, under the key's policy if it has one."""
    backend = backends()[key.backend]
    return backend.load_policy(model, key.policy, key.device) if key.policy else backend.load(model, key.precision, key.device)


SUBJECTS = pytest.StashKey[Subjects]()


@pytest.fixture(scope="session")
def subjects(pytestconfig: pytest.Config) -> Iterator[Subjects]:
    """The session's subjects."""
    yield pytestconfig.stash.setdefault(SUBJECTS, Subjects(pytestconfig))


@pytest.fixture
def encoder(subjects: Subjects, encoder_key: EncoderKey) -> Encoder:
    """The encoder under test, warmed up."""
    return subjects.encoder(encoder_key).encoder


@pytest.fixture
def preprocessor(subjects: Subjects, preprocessor_name: str) -> Preprocessor:
    """The preprocessor under test."""
    return subjects.preprocessor(preprocessor_name)
