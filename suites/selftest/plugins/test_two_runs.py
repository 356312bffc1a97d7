"""Two runs at once on one checkout: one cache, one history, one folder of golden data, and nothing of them is corrupted."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures import ROOT
from fixtures.storage.cache import is_whole
from plugins.golden.verified import damaged
from suites.selftest.conftest import TINY, small_dataset
from suites.selftest.patience import HANG_S

EXPORT = (
    "suites/embeddings/test_encoder.py::test_form",
    "suites/latency/test_history.py",
    "--backend=onnxruntime",
    "--precision=fp32",
)


def both(folder: Path, *arguments: str) -> list[tuple[int, str]]:
    """Exit codes and output of the same command started twice."""
    environment = {**os.environ, "CLIP_CONFORMANCE_CACHE": str(folder / "cache")}
    options = [f"--dataset={folder}/mine", f"--golden={folder}/golden", f"--benchmark-storage=file://{folder}/history"]
    runs = []
    for number in range(2):
        command = [sys.executable, "-m", "pytest", *arguments, *options, f"--report={folder}/report-{number}.json"]
        runs.append(
            subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        )
    found = [run.communicate(timeout=HANG_S)[0] for run in runs]
    return [(run.returncode, output) for run, output in zip(runs, found, strict=True)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, few_folder: Path) -> Path:
    """A folder with golden data of a small data set."""
    return Path(shutil.copytree(few_folder, tmp_path_factory.mktemp("two") / "few"))


@pytest.mark.long
def test_cache_and_history(shared: Path) -> None:
    """Both pass; the export is there once and whole, and both runs are stored."""
    for code, output in both(shared, *EXPORT, "--benchmark-autosave", "--latency-budget=0.2"):
        assert code == 0, output[-2000:]
    entries = [path for path in (shared / "cache").iterdir() if path.is_dir()]
    assert len(entries) == 1 and is_whole(entries[0])
    stored = [json.loads(path.read_text()) for path in (shared / "history").rglob("*.json")]
    assert len(stored) == 2 and all(run["benchmarks"] for run in stored)


def test_golden(tmp_path: Path) -> None:
    """Both write the same golden data: they are whole, and no run ends in a traceback."""
    small_dataset(tmp_path / "mine")
    for code, output in both(tmp_path, "--update-golden", *TINY):
        assert code == 1 and "Traceback" not in output, output[-2000:]
    (folder,) = (path for path in (tmp_path / "golden").iterdir() if path.is_dir() and not path.name.startswith("."))
    assert not damaged(folder)
