"""Runs the suite from inside itself, in a process of its own, with a fault planted or a bad input given."""

import gc
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest

from fixtures import ROOT, progress
from fixtures.models import Model, load_model
from fixtures.storage.locks import locked
from plugins.report.schema import check
from suites.selftest import forked
from suites.selftest.patience import HANG_S

for name in [name for name in os.environ if name.startswith("PYTEST_XDIST")]:
    del os.environ[name]  # inner runs are no workers of the outer one: pytest-benchmark would measure nothing in them
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # inner runs load the same modules some hundred times: compiled once
BRIEF = ("-k", "not test_growth and not test_every_kind and not test_threads")  # without the promises that take longest
TINY = ("-p", "suites.selftest.planted.tiny", "--model=tiny:clip", "--pretrained=random:0")
Run = Callable[..., subprocess.CompletedProcess[str]]
# Files that take longest, which begin first: a worker that began one of them last would end alone.
LONGEST = (
    "test_against.py",
    "test_latency_gate.py",
    "test_report.py",
    "test_wheel.py",
    "test_supervisor.py",
    "test_drift_layers.py",
    "test_workers.py",
    "test_environment.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; all others keep their order."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="module", autouse=True)
def spared() -> Iterator[None]:
    """What was imported before a file's tests is not visited by garbage collections, of which some tests make many."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()  # or libraries complain at the end of what was never freed


def start(
    folder: Path, *args: str, env: dict[str, str] | None = None, supervised: bool = False, forks: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run pytest at the root to its end; its report goes to `folder`, and has the form of docs/report.schema.json.

    `supervised` is as a person starts it, and slower; without `forks` all its processes are new ones, and several runs may
    be started at once.
    """
    report = folder / "report.json"
    done = _started([f"--report={report}", *args], env or {}, supervised, forks)
    if report.exists():
        check(report.read_text(encoding="utf-8"))
    return done


def _started(
    args: Sequence[str], variables: Mapping[str, str], supervised: bool, forks: bool
) -> subprocess.CompletedProcess[str]:
    asks = any(arg.startswith(("--device", "-m", "--environment", "--matrix-page")) for arg in args)
    arguments = ["--benchmark-disable", *([] if asks else ["--device=cpu"]), *args]  # on a machine with a GPU too
    early = [name for name in variables if name.startswith(forked.NEED_A_PROCESS) and name != forked.FOLDERS]
    if forks and not early:
        return forked.run(arguments, variables, supervised)
    command = [sys.executable, "-m", "pytest", *([] if supervised else ["--unsupervised"]), *arguments]
    environment = {**os.environ, "COLUMNS": "200", **variables}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=HANG_S)


@pytest.fixture(scope="module")
def model() -> Model:
    """The default model: 6 layers of image tower, 3 of text tower."""
    return load_model("scenes-s", "")


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


@pytest.fixture(scope="session")
def few_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str, testrun_uid: str) -> Path:
    """Some scenes in `mine` and their golden data in `golden`, made once for all of xdist's workers."""
    return _made("few", (), tmp_path_factory, worker_id, testrun_uid)


@pytest.fixture(scope="session")
def few(few_folder: Path) -> list[str]:
    """Options of a run over them."""
    return _options(few_folder)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, worker_id: str, testrun_uid: str) -> list[str]:
    """The same with a model that computes next to nothing, for what is about the suite alone; no recall is judged."""
    return [*TINY, *_options(_made("tiny", TINY, tmp_path_factory, worker_id, testrun_uid))]


def _options(folder: Path) -> list[str]:
    return [f"--dataset={folder}/mine", f"--golden={folder}/golden"]


def _made(name: str, model: Sequence[str], factory: pytest.TempPathFactory, worker: str, run: str) -> Path:
    base = factory.getbasetemp()
    folder = base / name if worker == "master" else base.parent / f"{name}-{run}"
    with locked(folder.with_suffix(".lock")):
        if not (folder / "golden").exists():
            some_scenes(folder / "mine")
            made = start(folder, "--update-golden", *model, *_options(folder))
            assert (folder / "golden").exists(), made.stdout + made.stderr
    return folder


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
