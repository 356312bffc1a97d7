"""Memory of a build that failed, and of a reference that found no room, is free again; neither is tried for every cell."""

import sys
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fixtures.capability import Array, Encoder, Tower
from fixtures.cells import EncoderKey
from fixtures.errors import Unavailable
from plugins.cells.fixtures import outcomes
from plugins.cells.given_back import BuildFailed, CannotRun, give_back
from plugins.cells.pixels import CannotRead
from plugins.subjects import Subjects
from suites.selftest.planted.leaking_backends import LeakyEncoder

FIRST, SECOND = (EncoderKey("m", "onnxruntime", precision, "cpu") for precision in ("fp32", "fp16"))
TOWERS: tuple[Tower, ...] = ("image", "text")
REFERENCE = EncoderKey("m", "torch-eager", "fp32", "cpu")


class Small(Subjects):
    """One image, one text, no model."""

    model: Any = SimpleNamespace(embed_dim=4)
    dataset: Any = SimpleNamespace(scenes=["one"], queries=["one"])
    tokens = np.ones((1, 3), np.int64)

    def first_pixels(self, n: int) -> Array:
        """The image."""
        return np.ones((n, 3, 8, 8), np.float32)


class Builds:
    """Encoders, or what building one raises: `fails` holds an error by key."""

    def __init__(self) -> None:
        self.fails: dict[EncoderKey, Exception] = {}
        self.tried: list[EncoderKey] = []
        self.held: list[weakref.ref[Any]] = []

    def __call__(self, key: EncoderKey, model: Any) -> Encoder:
        """As `built` does."""
        self.tried.append(key)
        if key in self.fails:
            self._allocate(self.fails.pop(key))
        return LeakyEncoder("nothing", model.embed_dim)

    def _allocate(self, error: Exception) -> None:
        """The frame that raises holds both the array and the error."""
        large = np.ones(10**6)
        self.held.append(weakref.ref(large))
        try:
            raise ValueError(large.size)
        except ValueError as cause:
            raise error from cause


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> Builds:
    """In place of the real ones."""
    builds = Builds()
    monkeypatch.setattr("plugins.subjects.built", builds)
    monkeypatch.setattr("plugins.subjects.require_usable", lambda backend, precision, device: None)
    return builds


@pytest.fixture
def subjects(builds: Builds) -> Subjects:
    """Which build them."""
    return Small()


@pytest.mark.parametrize(
    ("kind", "words"), [(MemoryError, "no room"), (RuntimeError, "CUDA out of memory"), (ValueError, "no such kernel")]
)
def test_a_failed_build_keeps_nothing(subjects: Subjects, builds: Builds, kind: type[Exception], words: str) -> None:
    """Its words are said in each of its tests, its arrays are gone, and it is not tried twice."""
    builds.fails[FIRST] = kind(words)
    for _ in range(2):
        with pytest.raises(BuildFailed, match=words):
            subjects.encoder(FIRST)
    assert builds.tried == [FIRST] and [held() for held in builds.held] == [None]


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (CannotRun, pytest.skip.Exception),
        (BuildFailed, pytest.fail.Exception),
        (CannotRead, pytest.fail.Exception),
        (Unavailable, Unavailable),
    ],
)
def test_what_cannot_be_had_is_an_outcome(found: type[Exception], outcome: type[BaseException]) -> None:
    """In its own words; a backend that says that it is unavailable while it works is skipped by nobody."""
    with pytest.raises(outcome, match="its own words"), outcomes():
        raise found("its own words")


@pytest.mark.parametrize("key", [FIRST, SECOND], ids=str)
def test_the_last_failed_test_keeps_nothing_at_a_switch(subjects: Subjects, key: EncoderKey) -> None:
    """pytest keeps its traceback in `sys` for a debugger until the next test's call, which comes after the next build."""
    large = np.ones(10**6)
    held = weakref.ref(large)
    try:
        raise RuntimeError(large)
    except RuntimeError as error:
        sys.last_value, sys.last_traceback, sys.last_type = error, error.__traceback__, RuntimeError
    del large
    assert held() is not None
    subjects.encoder(key)
    assert held() is None


@pytest.mark.parametrize("used", [True, False])
def test_a_switch_gives_back_what_torch_caches(monkeypatch: pytest.MonkeyPatch, used: bool) -> None:
    """Once CUDA is in use; a device that is lost does not mind."""
    emptied = []

    def empty_cache() -> None:
        emptied.append(True)
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    cuda = SimpleNamespace(is_initialized=lambda: used, empty_cache=empty_cache)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    give_back()
    assert emptied == [True] * used


def test_a_broken_reference_is_tried_once(subjects: Subjects, builds: Builds) -> None:
    """Whatever it raises, its cells are not judged against it and say why in one sentence."""
    for key in (FIRST, SECOND):
        builds.fails[REFERENCE] = RuntimeError("no such kernel")
        for _ in TOWERS:
            with pytest.raises(CannotRun, match=r"nothing to time .*torch-eager-fp32-cpu: RuntimeError: no such"):
                subjects.reference(key)
    assert builds.tried.count(REFERENCE) == 1 and [held() for held in builds.held] == [None]


def test_a_reference_without_room_is_tried_again_beside_the_next(subjects: Subjects, builds: Builds) -> None:
    """Once an encoder: beside a large one there was no room, beside a small one there may be."""
    builds.fails[REFERENCE] = MemoryError("no room")
    for _ in TOWERS:
        with pytest.raises(CannotRun, match="MemoryError: no room"):
            subjects.reference(FIRST)
    assert builds.tried.count(REFERENCE) == 1
    name, _ = subjects.reference(SECOND)
    assert name == str(REFERENCE) and builds.tried.count(REFERENCE) == 2
