"""A very slow encoder runs on all images with one preprocessor and on a sample with the others, and says so."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fixtures.cells import Cell, EncoderKey
from fixtures.datasets import DEFAULT, load_dataset
from plugins.cells import sampling
from suites.selftest.conftest import start

PREPROCESSORS = "pessimist,original_clip,our_clip_implementation,shifted"
CHOSEN = ("-p", "suites.selftest.planted.slow_backends", "suites/embeddings/test_cell.py", "suites/retrieval", "-rs", "-v")


def cells(folder: Path, *options: str) -> tuple[str, dict[str, Any]]:
    """What an inner run printed, and its rows by preprocessor, of the late backend and of the prompt one."""
    printed = start(folder, *CHOSEN, *options).stdout
    rows = json.loads((folder / "report.json").read_text())["cells"]
    return printed, {f"{row['backend']} {row['preprocessor']}": row for row in rows}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, few: list[str]) -> tuple[str, dict[str, Any]]:
    """One run over a slow and a quick encoder."""
    return cells(tmp_path_factory.mktemp("both"), "--backend=late,prompt", f"--preprocessor={PREPROCESSORS}", *few)


def test_a_slow_encoder_is_sampled(both: tuple[str, dict[str, Any]]) -> None:
    """Of 25 images 16, in the report and in the table; no recall and no class; the reference's preprocessor runs whole."""
    printed, rows = both
    row = rows["late shifted"]
    assert (row["sampled"]["images"], row["sampled"]["of"]) == (16, 25) and row["sampled"]["times_reference"] > sampling.SLOW
    assert "retrieval" not in row and "class" not in row
    (why,) = row["not_judged"]
    assert "original_clip runs on all 25, other preprocessors on 16 of them, without a verdict on recall; --whole " in why
    (line,) = [line for line in printed.splitlines() if line.startswith(row["id"])]
    assert " sampled: 16 of 25 " in line
    assert f"not judged: {why}" in printed
    for name in ("original_clip", "our_clip_implementation"):  # equal pixels cost nothing
        assert "sampled" not in rows[f"late {name}"] and rows[f"late {name}"]["class"] == "identical"


def test_a_fault_shows_on_a_sample(both: tuple[str, dict[str, Any]]) -> None:
    """The others pass."""
    _, rows = both
    assert rows["late shifted"]["broken_promises"] == ["C1"]
    assert {name for name, row in rows.items() if name.startswith("late") and row["verdict"] == "fail"} == {"late shifted"}


def test_a_known_failure_that_a_sample_does_not_show(both: tuple[str, dict[str, Any]]) -> None:
    """It is not judged; on all images it is kept, which may be so on pictures of another data set than ours."""
    _, rows = both
    assert rows["late pessimist"]["verdict"] == "skipped"
    assert "the known failure of C1 does not show on a sample" in rows["late pessimist"]["reason"]
    assert rows["prompt pessimist"]["verdict"] == "pass" and not rows["prompt pessimist"]["broken_promises"]


def test_a_quick_encoder_is_not(both: tuple[str, dict[str, Any]]) -> None:
    """All its cells have their recall."""
    _, rows = both
    quick = [row for name, row in rows.items() if name.startswith("prompt")]
    assert len(quick) == 4 and all("sampled" not in row and "class" in row for row in quick)


def test_whole(tmp_path: Path, few: list[str]) -> None:
    """`--whole` runs a slow one on everything; so does the command that shows one cell's failure again."""
    _, rows = cells(tmp_path, "--backend=late", "--preprocessor=original_clip,shifted", "--whole", *few)
    assert all("sampled" not in row and "class" in row for row in rows.values())
    _, rows = cells(tmp_path, "--backend=late", "--preprocessor=original_clip,shifted", "-kshifted", *few)
    assert "sampled" not in rows["late shifted"] and "class" in rows["late shifted"]


def subjects(steady_ms: float) -> Any:
    """An encoder whose images take so long, and the default data set."""
    kept: dict[object, Any] = {}
    warm = SimpleNamespace(warm_up={"image": SimpleNamespace(steady_ms=steady_ms)})
    return SimpleNamespace(
        dataset=load_dataset(DEFAULT),
        model=SimpleNamespace(geometry=SimpleNamespace(squash=False)),
        unknown=lambda cell: 600,
        encoder=lambda key: warm,
        once=lambda key, make: kept.setdefault(key, make()),
    )


@pytest.mark.parametrize(("times", "whole"), [(1.1, ["torch-eager", "onnxruntime"]), (3.0, ["torch-eager"])])
def test_torch_eager_stands_for_its_precision(times: float, whole: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A very slow encoder runs none on all images beside it; alone it runs one, and a quick encoder runs all."""
    keys = [EncoderKey("m", name, "fp16", "cpu") for name in ("torch-eager", "onnxruntime")]
    cells = [Cell(key, name) for key in keys for name in ("original_clip", "opencv-area")]
    monkeypatch.setattr(sampling, "subject", lambda item: item)
    monkeypatch.setattr(sampling, "_runs", lambda key: True)
    monkeypatch.setattr(sampling, "times_the_reference", lambda subjects, key: 1.0 if key == keys[0] else times)
    chosen: Any = {cell: sampling.choose(subjects(7.0), cell, cells) for cell in cells}  # type: ignore[arg-type]
    assert [cell.encoder.backend for cell in cells[::2] if not chosen[cell]] == whole
    assert chosen[cells[1]] is None
    beside = chosen[cells[2]]
    assert not beside or f"{keys[0]} runs original_clip on all 663, this one on 64 of them" in beside.because
    assert sampling.choose(subjects(7.0), cells[2], cells[2:]) is None  # type: ignore[arg-type]


def test_a_known_bad_preprocessor_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """On all images with the first encoder that comes, on a sample with others; not where all images take no time."""
    first, second = (EncoderKey("m", name, "int8", "cpu") for name in ("onnxruntime", "torchao"))
    cells = [Cell(key, name) for key in (first, second) for name in ("original_clip", "opencv-area", "opencv_based")]
    monkeypatch.setattr(sampling, "subject", lambda item: item)
    monkeypatch.setattr(sampling, "_runs", lambda key: True)
    monkeypatch.setattr(sampling, "times_the_reference", lambda subjects, key: 1.0)
    for steady_ms, sampled in ((3.0, True), (0.5, False)):
        under = subjects(steady_ms)
        *whole, last = (sampling.choose(under, cell, cells) for cell in cells)  # type: ignore[arg-type]
        assert not any(whole)
        assert bool(last) is sampled
        if last:
            assert len(last.rows) == sampling.SIZE and last.times is None
            said = f"opencv_based declares to break C1: {first} runs it on all 663, other encoders on 64 of them"
            assert said in last.because


def test_the_sample() -> None:
    """All odd files and evenly spaced scenes: never two neighbours where the others are further apart."""
    dataset = load_dataset(DEFAULT)
    rows = sampling.spread(dataset)
    assert len(rows) == len(set(rows)) == sampling.SIZE
    assert {dataset.images[row] for row in rows} > set(dataset.odd)
    scenes = np.array([row for row in rows if row < len(dataset.scenes)])
    assert set(np.diff(scenes)) <= {12, 13} and len(dataset.scenes) - scenes[-1] <= 13


def test_the_ratio_is_of_the_fastest_calls() -> None:
    """A neighbour that takes the processor for half of the time changes nothing."""
    rng = np.random.default_rng(0)

    def busy(seconds: float) -> Any:
        return lambda calls: seconds * (1 + 9 * rng.binomial(1, 0.5))

    found = [sampling.ratio(busy(0.06), busy(0.01)) for _ in range(200)]
    assert np.mean([abs(times - 6) < 0.01 for times in found]) > 0.85
