"""Inputs that are drawn for one run: new ones each time, the same for one seed, and a backend that cannot know them."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from fixtures.datasets import fresh
from suites.selftest.conftest import Run

ONE = ("--device=cpu", "--precision=fp32", "--preprocessor=original_clip", "suites/embeddings")


def test_a_seed_repeats_inputs() -> None:
    """And another seed gives others; none is one of those that they are made of."""
    pixels = np.random.default_rng(0).standard_normal((5, 3, 8, 8)).astype(np.float32)
    known = ["a dog", "一只猫在沙发上", "two cats and a very long sentence", "", " "]
    makers: list[tuple[Any, Any]] = [(fresh.images, pixels), (fresh.texts, known)]
    for make, source in makers:
        first, again, other = (list(make(source, 32, seed)) for seed in (1, 1, 2))
        assert len(first) == 32 and all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
        assert not any(np.array_equal(a, b) for a in first for b in source)
    assert fresh.images(pixels[:1], 2, 3).shape == (2, 3, 8, 8) and fresh.images(pixels, 2, 3).dtype == np.float32
    assert all(len(text) >= fresh.SHORTEST for text in fresh.texts(["x"], 8, 0))


def test_who_answers_from_memory_fails(run: Run, tiny: list[str], tmp_path: Path) -> None:
    """Only on what is new; the message names the input, and the command draws it again."""
    data = next(option.partition("=")[2] for option in tiny if option.startswith("--dataset"))
    plant = ("-p", "suites.selftest.planted.remembering_backends", "--backend=remembering,torch-eager")
    done = run(*ONE, *plant, *tiny, "-k", "test_fresh_inputs or test_every_kind or test_direction", env={"DATA": data})
    report = json.loads((tmp_path / "report.json").read_text())
    broken = {row["backend"]: row["broken_promises"] for row in report["cells"]}
    assert broken == {"remembering": ["E16", "E17"], "torch-eager": []}, done.stdout[-4000:]
    seed = report["run"]["seed"]
    assert f"seed: {seed} of the inputs" in done.stdout and f"of seed {seed}" in done.stdout
    assert re.search(
        rf"again: pytest '.*test_fresh_inputs\[tiny:clip@random:0-remembering-fp32-cpu-image\]' .*--seed={seed}", done.stdout
    ), done.stdout[-4000:]


def test_the_seed_can_be_given(run: Run, tiny: list[str], tmp_path: Path) -> None:
    """It stands in the report."""
    run(*ONE, "--backend=torch-eager", "-k", "test_fresh", "--seed=7", *tiny)
    assert json.loads((tmp_path / "report.json").read_text())["run"]["seed"] == 7
