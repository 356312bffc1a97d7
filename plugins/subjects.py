"""What is under test, for pytest and other programs: pixels per preprocessor, embeddings per cell, each computed once."""

import hashlib
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from fixtures import ROOT
from fixtures.build_warnings import noted
from fixtures.capability import TOWERS, Array, Encoder, Preprocessor, Tokens, Tower
from fixtures.cells import Cell, EncoderKey
from fixtures.datasets import DEFAULT as DEFAULT_DATASET
from fixtures.datasets import Dataset, load_dataset
from fixtures.errors import BadInput, Unavailable
from fixtures.machine.versions import require_usable
from fixtures.models import DEFAULT as DEFAULT_MODEL
from fixtures.models import Model, load_model, model_id
from fixtures.progress import ticking
from fixtures.registry import backends, preprocessors
from fixtures.truth import REFERENCE
from plugins.cells.form import Formed, same
from plugins.cells.given_back import BuildFailed, CannotRun, NotBuilt, give_back, not_built
from plugins.cells.pixels import CannotRead, Pixels, raw, read
from plugins.cells.shared import frozen, shared
from plugins.cells.sizes import batches, place
from plugins.measures.latency.reference import Anchor, anchor_name, reference_key
from plugins.measures.latency.steady import WarmUp, warm_up
from plugins.process.left_behind import watch
from plugins.process.leftovers import Holdings

ROTATED = 8  # inputs of a rough measurement
T = TypeVar("T")


@dataclass
class LoadedEncoder:
    """The one encoder that is loaded, the time of its first calls, and every embedding that it has computed."""

    key: EncoderKey
    encoder: Encoder
    width: int  # D
    load_s: float
    warm_up: dict[str, WarmUp]
    first: dict[str, list[Array]]  # what each tower's calls returned until they were steady: one image, one text [1, D]
    rows: dict[bytes, Array] = field(default_factory=dict)
    warned: list[str] = field(default_factory=list)  # warnings of libraries during the build
    eager: dict[str, Encoder] = field(default_factory=dict)  # by precision: what timed vectors are compared with, a while
    changed: dict[str, str] = field(default_factory=dict)  # by tower: results that later calls changed

    @property
    def formed(self) -> Encoder:
        """The encoder for everything that is not timed: the form of its results is checked."""
        return cast(Encoder, Formed(self.encoder, self.width))

    def encode(self, batch: Array | Tokens, tower: Tower, before: Sequence[int] = ()) -> Array:
        """Embeddings of all rows, in calls of the sizes of `batches`; results that a later call changes are recorded."""
        return np.concatenate(self.held([batch[rows] for rows in batches(len(batch), before)], tower))

    def held(self, parts: Iterable[Array | Tokens], tower: Tower) -> list[Array]:
        """One copied result a call. Results are held until the last call; `changed` records those that later calls changed."""
        results, copies = [], []
        for part in parts:
            results.append(self.formed.encode(part, tower))
            copies.append(results[-1].copy())
        lost = [i for i, (result, copy) in enumerate(zip(results, copies, strict=True)) if not same(result, copy)]
        if lost:
            self.changed.setdefault(tower, f"{len(lost)} of {len(results)} results changed while later calls ran")
        return copies


class Subjects:
    """Everything under test, made on first use.

    Raises CannotRun, BuildFailed or CannotRead for what is not available, BadInput for bad input.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        pretrained: str = "",
        dataset: Path = DEFAULT_DATASET,
        golden: Path = ROOT / "golden",
        options: Sequence[str] = (),
    ) -> None:
        """`golden` is the folder of all models' golden data; `options` repeat the choice in commands that messages suggest."""
        self.name, self.pretrained, self.dataset_folder, self.golden, self.options = model, pretrained, dataset, golden, options
        self._pixels: dict[str, Pixels | str] = {}  # or the reason why a file has no pixels
        self._store: dict[bytes, Array] = {}
        self._made: dict[Hashable, Any] = {}
        self._alive: LoadedEncoder | NotBuilt | None = None
        self._alive_key: EncoderKey | None = None
        self._before: Holdings | None = None  # what the process held before the loaded encoder was built
        self._references: dict[EncoderKey, LoadedEncoder | NotBuilt] = {}

    @property
    def model_id(self) -> str:
        """The model's part of every id; does not load the model."""
        return model_id(self.name, self.pretrained)

    @property
    def choice(self) -> tuple[str, str]:
        """Model name and tag for another process; the path of a file is absolute, because it may run in another folder."""
        tag = self.pretrained
        return self.name, str(Path(tag).absolute()) if tag and Path(tag).exists() else tag

    @cached_property
    def model(self) -> Model:
        """The model of that name."""
        from fixtures.backends._torch import use_tf32

        with watch().kept():
            model = load_model(self.name, self.pretrained)
            use_tf32(False)  # for backends that do not set it: torch's default lets convolutions use it
            self._weights = model.weights_sha256, model.fingerprint()  # taken before any backend had access to them
            return model

    @cached_property
    def dataset(self) -> Dataset:
        """The data of the data set's folder."""
        return load_dataset(self.dataset_folder)

    @cached_property
    def tokens(self) -> Tokens:
        """All queries, tokenised by the model's tokeniser, int64 [Q, L]."""
        model = self.model
        with watch().kept():
            return shared(model.tokenize(self.dataset.texts))

    def preprocessor(self, name: str) -> Preprocessor:
        """The preprocessor; raises CannotRun with the reason."""
        chosen = preprocessors()[name]
        try:
            chosen.available()
        except Unavailable as reason:
            raise CannotRun(f"{name}: {reason}") from None
        return chosen

    def pixels(self, name: str) -> Pixels:
        """All images through one preprocessor; raises BadInput for a file that the reference cannot read, CannotRead for one
        that only this preprocessor cannot."""
        if name not in self._pixels:
            geometry, preprocessor, reference = self.model.geometry, self.preprocessor(name), preprocessors()[REFERENCE]
            keys = []
            try:
                with watch().leaving(name):
                    for image in self.dataset.images:
                        row = read(preprocessor, reference, self.dataset, image, geometry)
                        keys.append(hashlib.sha256(row.data).digest())
                        self._store.setdefault(keys[-1], frozen(row))
                self._pixels[name] = Pixels(keys, self._store)
            except CannotRead as reason:
                self._pixels[name] = str(reason)
        found = self._pixels[name]
        if isinstance(found, str):
            raise CannotRead(found)
        return found

    def first_pixels(self, n: int) -> Array:
        """The reference's pixels of the first images, float32 [n, 3, R, R]; reads no others. Raises BadInput."""
        if isinstance(known := self._pixels.get(REFERENCE), Pixels):
            return known.rows(range(n))
        first: list[Array] = self.once("first pixels", list)
        if missing := self.dataset.images[len(first) : n]:
            reference, geometry = self.preprocessor(REFERENCE), self.model.geometry
            with watch().leaving(REFERENCE):
                first += [read(reference, reference, self.dataset, image, geometry) for image in missing]
        return np.stack(first[:n])

    def raw_pixels(self, name: str, image: str) -> object:
        """One preprocessor's output for one image, unchecked and not cached; raises as `pixels` does."""
        return raw(self.preprocessor(name), preprocessors()[REFERENCE], self.dataset, image, self.model.geometry)

    def encoder(self, key: EncoderKey) -> LoadedEncoder:
        """The encoder; if another one is loaded, that one is freed first. Raises CannotRun or BuildFailed."""
        if self._alive_key != key:
            self.end()
            self._references = {other: found for other, found in self._references.items() if not _no_room(found)}
            give_back()
            self._alive_key, self._before = key, watch().begin()
            self._alive = self._tried(key)
        if isinstance(self._alive, LoadedEncoder):
            return self._alive
        assert self._alive is not None
        if self._alive.unavailable:
            raise CannotRun(f"{key}: {self._alive.why}")
        raise BuildFailed(f"{key} could not be built: {self._alive.why}")

    def end(self) -> None:
        """Free the loaded encoder, and check what it leaves behind."""
        if self._alive_key is None or self._before is None:
            return
        key, before = self._alive_key, self._before
        self._alive = self._alive_key = self._before = None
        watch().end(key, before)
        self._look_at_weights(key)

    def _look_at_weights(self, key: EncoderKey) -> None:
        """All backends build from the same weights: load them again if a backend has changed them."""
        if "model" not in vars(self) or self.model.fingerprint() == self._weights[1]:
            return
        if self.model.digest() != self._weights[0]:
            watch().note(key, "weights", "the model's own weights were changed")
            del self.model

    def reference_encoder(self, key: EncoderKey) -> LoadedEncoder | NotBuilt:
        """The reference of `key`, loaded together with it: `key` itself if it is the reference; else built once per device.

        A failed build is not tried again, unless memory ran out: then it is tried once more with the next encoder, which may
        be smaller.
        """
        other, loaded = reference_key(key), self.encoder(key)
        if other == key:
            return loaded
        if other not in self._references:
            self._look_at_weights(key)
            with watch().kept():
                self._references[other] = self._tried(other)
            loaded.encoder.restore_settings()
        return self._references[other]

    def reference(self, key: EncoderKey) -> tuple[str, Encoder]:
        """The name and the encoder that `key` is timed against; raises CannotRun if there is none."""
        found = self.reference_encoder(key)
        if isinstance(found, NotBuilt):
            raise CannotRun(f"nothing to time {key} against: {reference_key(key)}: {found.why}")
        if found.key == key:
            return anchor_name(key.device), Anchor(key.device)
        return str(found.key), found.encoder

    def rotating_inputs(self, tower: Tower) -> list[Array | Tokens]:
        """A few inputs of the data set, one a call: for figures that no promise is judged by."""
        if tower == "text":
            return [self.tokens[i : i + 1] for i in range(min(ROTATED, len(self.dataset.queries)))]
        return [row[None] for row in self.first_pixels(min(ROTATED, len(self.dataset.scenes)))]

    def _tried(self, key: EncoderKey) -> LoadedEncoder | NotBuilt:
        """The built encoder, or the reason why it was not built, which costs this encoder's cells only. Raises BadInput."""
        try:
            require_usable(backends()[key.backend], key.base, key.device)
            return self._load(key)
        except (BadInput, CannotRead):
            raise
        except Exception as error:
            found = not_built(error)
        give_back()
        return found

    def _load(self, key: EncoderKey) -> LoadedEncoder:
        """Build an encoder and bring both towers to steady state with one image and one text."""
        pixels, tokens, warned = self.first_pixels(1), self.tokens[:1], list[str]()
        with ticking(f"building {key}"), noted(warned), watch().done_by(key):
            started = time.perf_counter()
            encoder = built(key, self.model)
            load_s = time.perf_counter() - started - (encoder.build_s or 0.0)
            first: dict[str, list[Array]] = {tower: [] for tower in TOWERS}
            calls = {
                "image": lambda: first["image"].append(copy(encoder.encode_image(pixels))),
                "text": lambda: first["text"].append(copy(encoder.encode_text(tokens))),
            }
            warm = {tower: warm_up(call) for tower, call in calls.items()}
            return LoadedEncoder(key, encoder, self.model.embed_dim, load_s, warm, first, warned=warned)

    def warned(self, key: EncoderKey) -> list[str]:
        """Warnings of libraries while the loaded encoder was built, at first or by a later call."""
        loaded = self._alive if self._alive_key == key else None
        return list(dict.fromkeys([*loaded.warned, *loaded.encoder.warned])) if isinstance(loaded, LoadedEncoder) else []

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result of `make`, cached for the session."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]  # type: ignore[no-any-return]

    def traits(self, image: str) -> tuple[str, ...]:
        """The data set's traits of an image; the first one decides which promise judges it."""
        return self.once(("traits", image), lambda: self.dataset.traits(image, self.model.geometry))

    def trait(self, image: str) -> str:
        """The trait that decides which promise judges the image."""
        return self.traits(image)[0]

    def image_embeddings(self, cell: Cell, rows: Sequence[int] | None = None) -> Array:
        """Raw embeddings of all images or of these rows, float32 [N, D]; equal pixels are encoded once."""
        loaded, pixels = self.encoder(cell.encoder), self.pixels(cell.preprocessor)
        wanted = range(len(pixels.keys)) if rows is None else rows
        first = {pixels.keys[row]: row for row in reversed(wanted) if pixels.keys[row] not in loaded.rows}
        todo = sorted(first.values())
        parts = [todo[rows] for rows in batches(len(todo), [len(pixels.keys)] * place(cell.preprocessor))]
        found = loaded.held((pixels.rows(part) for part in parts), "image")
        for part, embeddings in zip(parts, found, strict=True):
            loaded.rows |= {pixels.keys[row]: embedding for row, embedding in zip(part, embeddings, strict=True)}
        return np.stack([loaded.rows[pixels.keys[row]] for row in wanted])

    def unknown(self, cell: Cell) -> int:
        """The number of different images that the encoder has not encoded yet."""
        return len({*self.pixels(cell.preprocessor).keys} - self.encoder(cell.encoder).rows.keys())

    def text_embeddings(self, key: EncoderKey) -> Array:
        """Raw embeddings of all queries, float32 [Q, D]."""
        loaded, name = self.encoder(key), b"texts"
        if name not in loaded.rows:
            loaded.rows[name] = loaded.encode(self.tokens, "text")
        return loaded.rows[name]


def _no_room(found: LoadedEncoder | NotBuilt) -> bool:
    return isinstance(found, NotBuilt) and found.no_room


def built(key: EncoderKey, model: Model) -> Encoder:
    """Build the key's encoder, with its policy if it has one."""
    backend = backends()[key.backend]
    return backend.load_policy(model, key.policy, key.device) if key.policy else backend.load(model, key.precision, key.device)
