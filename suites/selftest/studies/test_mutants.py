"""The campaign of drawn faults: the same draws every time, faults that change something, and a run that finds one."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from fixtures import ROOT
from suites.selftest.patience import HANG_S
from suites.studies.mutants import page
from suites.studies.mutants.effects import changed, tokens_changed
from suites.studies.mutants.grammar import ONLY_ALWAYS, WHATS, WHENS, Draw, draw
from suites.studies.mutants.memory import Known
from suites.studies.mutants.triggers import TROUBLED_CALLS, Trigger

SOME = Draw(1, 1, "output", "always", "scale", "image and text", 0.1, 3, "only")


def test_a_seed_gives_the_same_faults() -> None:
    """Each number by itself, so that a survivor can be run alone."""
    assert draw(5, 7) == draw(5, 7) != draw(5, 8)
    drawn = [draw(2, number) for number in range(600)]
    assert {d.where for d in drawn} == set(WHATS) and {d.when for d in drawn} == set(WHENS)
    assert all(d.what in WHATS[d.where] for d in drawn)
    assert Counter(d.when for d in drawn if d.where in ONLY_ALWAYS).keys() == {"always"}
    assert all(d.towers == "text" for d in drawn if d.when == "length")


@pytest.mark.parametrize("what", sorted({*WHATS["output"], *WHATS["pixels"], *WHATS["precision"], *WHATS["batch"]}))
def test_effects_change_the_rows_that_are_hit(what: str) -> None:
    """And no other row, and nothing in place."""
    rng = np.random.default_rng(0)
    values, before = rng.standard_normal((4, 3, 5, 5)).astype(np.float32), rng.standard_normal((2, 3, 5, 5))
    kept, hit = values.copy(), np.array([False, True, False, True])
    found = changed(values, hit, replace(SOME, what=what), before)
    assert np.array_equal(values, kept) and found.dtype == values.dtype
    assert [not np.array_equal(a, b) for a, b in zip(found, values, strict=True)] == hit.tolist()


@pytest.mark.parametrize("what", WHATS["tokens"])
def test_tokens_stay_a_text(what: str) -> None:
    """A start, an end, ids of the vocabulary; another text than before."""
    tokens = np.zeros((2, 77), np.int64)
    tokens[:, :6] = [[49406, 10, 20, 30, 40, 49407], [49406, 11, 21, 31, 41, 49407]]
    found = tokens_changed(tokens, np.array([True, False]), replace(SOME, what=what))
    assert found[0, 0] == 49406 and found[0].max() == 49407 and found.min() >= 0
    assert not np.array_equal(found[0], tokens[0]) and np.array_equal(found[1], tokens[1])


def test_triggers() -> None:
    """Each condition where it holds, and not where it does not."""
    pixels, tokens = np.zeros((2, 3, 4, 4), np.float32), np.zeros((3, 77), np.int64)
    tokens[:, :3] = [[49406, 49407, 0], [49406, 5, 49407], [49406, 49407, 0]]
    assert Trigger(replace(SOME, when="length")).rows(tokens, "text").tolist() == [False, True, False]
    assert Trigger(replace(SOME, when="batch size")).rows(tokens, "text").all()
    assert not Trigger(replace(SOME, when="batch size")).rows(pixels, "image").any()
    assert not Trigger(replace(SOME, towers="text")).rows(pixels, "image").any()
    calls = Trigger(replace(SOME, when="call number"))
    assert [bool(calls.rows(pixels, "image").all()) for _ in range(4)] == [False, False, True, False]
    first = Trigger(replace(SOME, when="first call"))
    assert [bool(first.rows(pixels, "image").all()) for _ in range(2)] == [True, False]
    shape = Trigger(replace(SOME, when="shape"))
    assert [bool(shape.rows(pixels[:n], "image").all()) for n in (1, 2, 1)] == [True, True, False]
    towers = Trigger(replace(SOME, when="other tower"))
    assert not towers.rows(pixels, "image").any()
    assert [bool(towers.rows(tokens, "text").all()) for _ in range(2)] == [True, False]
    trouble = Trigger(replace(SOME, when="after trouble"))
    assert not trouble.rows(pixels, "image").any()
    trouble.trouble()
    assert [bool(trouble.rows(pixels, "image").all()) for _ in range(TROUBLED_CALLS + 1)] == [True] * TROUBLED_CALLS + [False]


def test_results_are_looked_up_by_input() -> None:
    """Equal batches give the first result's bits, in an array of their own; other shapes and towers are other inputs."""
    asked: list[Any] = []

    class Counting:
        def encode(self, batch: Any, tower: str) -> Any:
            if not batch.size:
                raise ValueError("nothing")
            asked.append((tower, batch.shape))
            return np.full((len(batch), 2), float(len(asked)), np.float32)

    known, batch = Known(Counting()), np.zeros((2, 8), np.float32)  # type: ignore[arg-type]
    first = known.encode(batch, "image")
    first[:] = 9
    assert known.encode(batch.copy(), "image").tolist() == [[1, 1], [1, 1]]
    for other, tower in ((batch, "text"), (batch.reshape(4, 4), "image"), (batch + 1, "image"), (batch.astype(int), "image")):
        known.encode(other, tower)  # type: ignore[arg-type]
    assert len(asked) == 5
    with pytest.raises(ValueError, match="nothing"):
        known.encode(batch[:0], "image")


@pytest.mark.long
def test_one_draw_is_found() -> None:
    """Its command prints what the suite says of it: here rows that trade some of their columns in batches of 12 and more."""
    command = [sys.executable, "-m", "suites.studies.mutants", "--seed", "1", "--number", "3", "-k", "test_batch"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANG_S, check=False)
    found = json.loads(done.stdout)
    assert found["text"].startswith("batch: swap") and set(found["broken"]) == {"E4"}, done.stdout + done.stderr
    assert done.returncode == 0 and found["effect"] > page.STRONG * page.tolerance("fp32")


def test_page() -> None:
    """Faults by number, what is within round-off apart, survivors by name, sound encoders that are blamed."""

    def row(number: int, effect: float, *broken: str) -> dict[str, Any]:
        about = replace(SOME, number=number)
        return {
            "draw": asdict(about),
            "text": str(about),
            "effect": effect,
            "shown": effect,
            "broken": dict.fromkeys(broken, ""),
        }

    assert 3.8e-6 < page.round_off("fp32") < page.tolerance("fp32") < 1e-5 < page.round_off("fp16") < page.round_off("int8")
    sound: dict[str, Any] = {"draw": None, "text": "sound", "effect": 0.0, "shown": 0.0, "broken": {}}
    text = page.text(
        [row(0, 0.1, "E2", "E5"), row(1, 1e-3), row(2, 1e-7), row(3, 0.0), sound, {**sound, "broken": {"E6": ""}}], "fp32"
    )
    assert "4 draws: 1 changes no output, 1 changes less than fp32's round-off; 2 are faults." in text
    assert "| all | 1 | 2 | 50.0% |" in text and "Sound encoders: 1 alarm in 2 runs." in text
    assert "| 1 | `output: scale by 1.0e-01" in text and "| 0 | `output" not in text
