"""`make geometry`: figures of a small model on a small data set, and what is near a published value."""

import json
import shutil
from pathlib import Path

import pytest

from fixtures.datasets import DEFAULT
from suites.selftest.planted import tiny
from suites.studies.geometry import page
from suites.studies.geometry.__main__ import main, name_of
from suites.studies.geometry.published import Published


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Four scenes with a caption each."""
    folder = tmp_path / "small"
    (folder / "images").mkdir(parents=True)
    names = [path.name for path in sorted((DEFAULT / "images").glob("*.jpg"))[:4]]
    for name in names:
        shutil.copy(DEFAULT / "images" / name, folder / "images" / name)
    lines = [json.dumps({"text": f"picture {i}", "language": "en", "labels": 1, "images": [n]}) for i, n in enumerate(names)]
    (folder / "captions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """A model that computes next to nothing."""
    tiny.pytest_configure()
    return [f"--model={tiny.NAME}", f"--pretrained={tiny.WEIGHTS}", f"--evidence={tmp_path}"]


def test_the_command(small: Path, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It writes what it prints, with a row for each block of both towers."""
    assert main([*arguments, f"--dataset={small}"]) == 0
    found = json.loads((tmp_path / "geometry-tiny-clip@random-0-small.json").read_text(encoding="utf-8"))
    assert (found["text"]["vectors"], found["image"]["vectors"]) == (4, 4)
    assert all(-1 <= found["across"][key] <= 1 for key in ("mean", "matches"))
    assert found["logit_scale"] == pytest.approx(1 / 0.07, rel=1e-3)  # CLIP's initial value
    assert [len(found["streams"][tower]) for tower in ("image", "text")] == [2, 1]
    assert (tmp_path / "geometry-tiny-clip@random-0-small.md").read_text(encoding="utf-8") in capsys.readouterr().out


def test_too_few(small: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence."""
    lines = (small / "captions.jsonl").read_text(encoding="utf-8").splitlines()
    (small / "captions.jsonl").write_text("\n".join(lines[:2]), encoding="utf-8")
    assert main([*arguments, f"--dataset={small}"]) == 4
    assert "2 captioned images and 2 captions: expected at least 3 of each" in capsys.readouterr().err


def test_near() -> None:
    """A range, and 20 % around it."""
    margin = Published("margin", ("text", "margin"), 0.010, 0.014, "")
    assert [margin.near(value) for value in (0.0079, 0.0081, 0.0167, 0.0169)] == [False, True, True, False]


def test_what_is_not_measured_is_said() -> None:
    """A model without a logit scale, a tower whose layers are unknown."""
    cone = {"vectors": 4, "mean_cosine": 0.5, "largest": [{"dimension": 0, "share": 0.3}] * 2, "margin": 0.01}
    found = {
        "command": "make geometry",
        "date": "2026-01-01",
        "commit": "abc",
        "model": {"name": "m", "pretrained": ""},
        "dataset": {"name": "d", "scenes": 4, "queries": 4},
        "text": cone,
        "image": cone,
        "across": {"mean": 0.2, "matches": 0.3, "margin": 0.01},
        "sampled": {"images": 4, "texts": 4},
        "streams": {"image": "it is a ResNet", "text": []},
    }
    shown = page.markdown(found)
    assert "| logit scale | – | 100 | – |" in shown
    assert "image: not measured: it is a ResNet" in shown
    assert "| median margin of neighbours, texts | 0.01 | 0.01 to 0.014 | yes |" in shown


def test_names() -> None:
    """Only what differs from the default is in the name."""
    assert name_of("scenes-s", "", DEFAULT) == "geometry"
    assert name_of("hf-hub:a/b", "", Path("/data/mine")) == "geometry-hf-hub-a_b-mine"
