"""Runs the suite from inside itself, in a process of its own, with a fault planted or a bad input given."""

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from fixtures import progress

ROOT = Path(__file__).parent.parent.parent
for name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
    del os.environ[name]  # inner runs are no workers of the outer one: pytest-benchmark would measure nothing in them
Run = Callable[..., subprocess.CompletedProcess[str]]


def start(folder: Path, *args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run pytest at the root to its end; its report goes to `folder`."""
    command = [sys.executable, "-m", "pytest", "--benchmark-disable", f"--report={folder}/report.json", *args]
    environment = {**os.environ, **(env or {}), "COLUMNS": "200"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run("--backend", "x", env={...})` is an inner run whose report goes to tmp_path/report.json."""
    return partial(start, tmp_path)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is said on the real standard error, past pytest's capture."""
    heard = io.StringIO()
    monkeypatch.setattr(progress, "stream", heard)
    return heard


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A small data set of its own."""
    return small_dataset(tmp_path / "mine")


def small_dataset(folder: Path) -> Path:
    """Three scenes and two queries in a new folder."""
    scenes = ROOT / "fixtures" / "datasets" / "scenes" / "images"
    (folder / "images").mkdir(parents=True)
    names = [f"scene_{i:03d}.jpg" for i in range(3)]
    for name in names:
        shutil.copy(scenes / name, folder / "images")
    queries = [{"text": "a monkey", "images": names[:1]}, {"text": "a gorilla", "images": names[1:2]}]
    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, queries)))
    return folder


def some_scenes(folder: Path) -> Path:
    """Twelve scenes, all odd files, and a query for each scene, in a new folder."""
    scenes = ROOT / "fixtures" / "datasets" / "scenes"
    lines = [json.loads(line) for line in (scenes / "captions.jsonl").read_text(encoding="utf-8").splitlines()]
    names = sorted(path.name for path in (scenes / "images").glob("*.jpg"))[::50][:12]
    (folder / "images").mkdir(parents=True)
    for name in names:
        shutil.copy(scenes / "images" / name, folder / "images")
    shutil.copytree(scenes / "images" / "odd", folder / "images" / "odd")
    queries = [{"text": line["text"], "images": names[i % 12 : i % 12 + 1]} for i, line in enumerate(lines[::40])]
    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, queries)))
    return folder
