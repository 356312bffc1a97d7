"""What encoders are asked in properties: golden's rows and random ones, and how far a vector of theirs may move."""

import json
import tomllib
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fixtures import ROOT
from fixtures.capability import Array, Tokens, Tower
from fixtures.datasets import DEFAULT, load_dataset
from fixtures.models import Model, load_model
from fixtures.preprocessors._shared import normalise
from plugins.golden.verified import Golden, pixel_file
from plugins.measures.vectors.metrics import METRICS, Comparison

HERE = ROOT / "golden" / "scenes-s"
START, END = 49406, 49407
RANDOM = 10_000  # row numbers from here on are seeds of random rows
TOWERS: tuple[Tower, ...] = ("image", "text")


@cache
def model() -> Model:
    """The default one."""
    return load_model("scenes-s", "")


@cache
def known(tower: Tower) -> tuple[Array | Tokens, list[str]]:
    """Golden's pixels or tokens, and what each row is called."""
    from PIL import Image

    if tower == "text":
        texts = load_dataset(DEFAULT).texts[::8]
        return model().tokenize(texts), [repr(text) for text in texts]
    names = json.loads((HERE / "manifest.json").read_text())["pixel_names"]
    levels = [np.asarray(Image.open(HERE / "pixels" / pixel_file(name))) for name in names]
    return np.stack([normalise(each, model().geometry) for each in levels]), names


def row(tower: Tower, number: int) -> Any:
    """One of golden's, or one made from a seed: noise within the range of pixels, or words of any length and no sense."""
    if number < RANDOM:
        rows, _ = known(tower)
        return rows[number % len(rows)]
    random = np.random.default_rng(number)
    if tower == "image":
        return normalise(random.integers(0, 256, (224, 224, 3), np.uint8), model().geometry)
    words = random.integers(1, START, random.integers(0, 76))
    return np.pad(np.array([START, *words, END], np.int64), (0, 75 - len(words)))


def batch(tower: Tower, numbers: list[int]) -> Any:
    """Several of them, C-contiguous."""
    return np.stack([row(tower, number) for number in numbers])


def numbers(least: int = 1, most: int = 8) -> st.SearchStrategy[list[int]]:
    """Mostly of golden's rows."""
    golden = st.integers(0, 200)
    return st.lists(st.one_of(golden, golden, st.integers(RANDOM, RANDOM + 200)), min_size=least, max_size=most)


@cache
def golden() -> Golden:
    """Its tolerances; vectors play no part here."""
    nothing = np.empty((0, 1), np.float32)
    return Golden(nothing, nothing, (), nothing, tomllib.loads((HERE / "tolerances.toml").read_text()), {})


def same(found: Array, wanted: Array, asked: list[int], tower: Tower, precision: str) -> None:
    """Row by row within golden's tolerance of that precision, in every metric."""
    names = [known(tower)[1][number % len(known(tower)[1])] if number < RANDOM else f"seed {number}" for number in asked]
    for metric, measure in METRICS.items():
        compared: Any = Comparison(metric, measure(found, wanted), golden().limits(precision, tower, metric, names), names)
        assert compared, f"{tower} {precision}: {compared}"
