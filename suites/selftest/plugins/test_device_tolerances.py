"""Tolerances of a device: derived on it by `--update-golden --device cuda`, used by its cells alone, kept by other updates."""

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures import truth
from fixtures.capability import TOWERS
from fixtures.registry import families
from plugins.golden import on_device
from plugins.golden.derivation import measured_rows
from plugins.golden.on_device import without
from plugins.golden.verified import Golden
from plugins.measures.vectors.metrics import METRICS
from plugins.subjects import Subjects
from suites.selftest.conftest import start
from suites.selftest.planted import played_cuda as played
from suites.selftest.planted.tiny import Tiny


def of(folder: Path) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """The folder of the model's golden data, its tolerances and its manifest."""
    (where,) = (path for path in (folder / "golden").iterdir() if path.is_dir() and not path.name.startswith("."))
    return where, tomllib.loads((where / "tolerances.toml").read_text()), json.loads((where / "manifest.json").read_text())


@pytest.fixture(scope="module")
def updated(tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], str]:
    """A folder with golden data of the tiny model after an update on the played device, its options, and what was printed."""
    folder = tmp_path_factory.mktemp("updated")
    shutil.copytree(made(tiny), folder / "golden")
    options = [*tiny[:-1], f"--golden={folder}/golden"]
    done = played.run(folder, *options, "--update-golden")
    assert done.returncode == 1, done.stdout + done.stderr
    return folder, options, done.stdout


def made(tiny: list[str]) -> Path:
    """The folder of golden data that all tests share."""
    return Path(tiny[-1].removeprefix("--golden="))


def test_update(updated: tuple[Path, list[str], str], tiny: list[str]) -> None:
    """The device's tables come beside the CPU's, which stay to the letter, as vectors do; the run fails, as all updates do."""
    folder, _, printed = updated
    assert "tolerances of cuda, as limits divided by the CPU's:" in printed
    assert "  fp16 image: cosine_distance 1.0" in printed  # the played device computes as the CPU does
    (old, before, _), (new, after, manifest) = of(made(tiny).parent), of(folder)
    assert (new / "tolerances.toml").read_text().startswith((old / "tolerances.toml").read_text().rstrip())
    assert (new / "vectors.safetensors").read_bytes() == (old / "vectors.safetensors").read_bytes()
    assert "--device=cuda" in manifest["devices"]["cuda"]["command"]
    on = {precision: table["image"]["cuda"] for precision, table in after.items() if "cuda" in table["image"]}
    assert set(on) == set(before) - {"int8", "int8-rows"}
    own = before["fp16"]["image"]["cosine_distance"]["measured"]
    assert on["fp16"]["cosine_distance"]["measured"] == pytest.approx(own, rel=0.2)


def test_an_update_of_the_cpu_keeps_them(updated: tuple[Path, list[str], str], tmp_path: Path) -> None:
    """As long as weights and inputs are the same."""
    folder, options, _ = updated
    _, before, _ = of(folder)
    start(tmp_path, "--update-golden", *options)
    _, kept, manifest = of(folder)
    assert kept["fp16"]["text"]["cuda"] == before["fp16"]["text"]["cuda"] and "cuda" in manifest["devices"]
    text = (of(folder)[0] / "tolerances.toml").read_text()
    assert ".cuda" in text and ".cuda" not in without(text, "cuda") and "[fp16.text]" in without(text, "cuda")


def test_a_large_model_is_measured_on_some_inputs(tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every limit is a number all the same."""
    shutil.copytree(made(tiny), tmp_path / "golden")
    data = Path(tiny[-2].removeprefix("--dataset="))
    float64, at_precision = truth.float64, truth.at_precision
    monkeypatch.setitem(families(), "tiny", Tiny())
    monkeypatch.setattr(on_device, "present", lambda: ["cpu", "cuda"])
    monkeypatch.setattr(truth, "float64", lambda *given: float64(*given[:-1]))  # on the CPU
    monkeypatch.setattr(truth, "at_precision", lambda *given: at_precision(*given[:-1]))
    monkeypatch.setattr(truth, "LARGE", 0)
    monkeypatch.setattr(truth, "SAMPLE", 4)
    subjects = Subjects("tiny:clip", "random:0", data, tmp_path / "golden")
    assert len(measured_rows(subjects, "text")[0]) < len(subjects.tokens)
    on_device.update_on(subjects, "cuda", ["pytest"])
    _, tolerances, _ = of(tmp_path)
    tables = [tolerances[precision][tower]["cuda"] for precision in on_device.PRECISIONS for tower in TOWERS]
    assert all(np.isfinite(table[metric]["limit"]) and table[metric]["limit"] > 0 for table in tables for metric in METRICS)


def test_no_such_device(tiny: list[str], tmp_path: Path) -> None:
    """One sentence, and nothing is written."""
    _, before, _ = of(made(tiny).parent)
    done = start(tmp_path, "--update-golden", "--device=cuda", *tiny)
    assert done.returncode != 0 and "--update-golden --device cuda: found no such device" in done.stdout + done.stderr
    assert of(made(tiny).parent)[1] == before


def test_cells_take_their_device_s() -> None:
    """A table of the device where there is one, else the CPU's; its exceptions are its own."""

    def table(limit: float, **more: Any) -> dict[str, Any]:
        return {"cosine_distance": {"limit": limit, "measured": limit / 3, "factor": 3.0, "floor": 0.0}, **more}

    exception = {"exceptions": {"odd": table(9.0)}}
    towers = {"fp16": {"image": table(1.0, cuda=table(2.0, **exception)), "text": table(4.0)}}
    golden = Golden(np.zeros((1, 2), np.float32), np.zeros((1, 2), np.float32), (), np.zeros(0, np.float32), towers, {})
    limits = golden.limits("fp16", "image", "cosine_distance", ["odd", "x"])
    assert limits.tolist() == [1.0, 1.0]
    on = golden.on("cuda")
    assert on.limits("fp16", "image", "cosine_distance", ["odd", "x"]).tolist() == [9.0, 2.0]
    assert on.limits("fp16", "text", "cosine_distance", ["x"]).tolist() == [4.0]
    assert golden.on("cpu").limits("fp16", "image", "cosine_distance", ["x"]).tolist() == [1.0]
    assert on.measured("fp16", "image", "cosine_distance") == pytest.approx(2 / 3)
