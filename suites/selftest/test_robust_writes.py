"""Killed at the worst moment, or two at once: what was there stays whole, and nothing else stays."""

import hashlib
import io
import json
import shutil
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from fixtures import cache, progress
from fixtures.whole import locked
from plugins import history_files
from plugins.golden import damaged, put_back
from plugins.golden_swap import replacing
from plugins.history_files import WholeFiles
from plugins.not_written import NOT_WRITTEN
from plugins.written import write_bytes
from suites.proof.kills import Sandbox
from suites.selftest.conftest import ROOT, Run
from suites.selftest.patience import HANG_S
from suites.selftest.test_bad_input import sentence

FORM = "suites/embeddings/test_encoder.py::test_form"
FEW = ("--backend=torch-eager", "--precision=fp32", "--device=cpu")
SMALL = ("-p", "suites.selftest.small_disk")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said here belongs to no run."""
    monkeypatch.setattr(progress, "stream", io.StringIO())


def fill(folder: Path, content: bytes = b"vectors") -> Path:
    """Golden data, as far as their wholeness goes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vectors").write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps({"files": {"vectors": hashlib.sha256(content).hexdigest()}}))
    return folder


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())


GOLDEN = ROOT / "golden" / "scenes-s"


def test_golden_data_of_a_killed_update(run: Run, few_folder: Path, tmp_path: Path) -> None:
    """What a kill between the two renames leaves: the next run puts the previous ones back, says so and compares with them."""
    (made,) = (few_folder / "golden").glob("scenes-s*")
    shutil.copytree(made, tmp_path / "golden" / f".{made.name}.old")
    after = run(FORM, *FEW, f"--dataset={few_folder}/mine", f"--golden={tmp_path}/golden")
    assert after.returncode == 0, after.stdout[-2000:]
    assert after.stderr.count("the previous ones are back in their place\n") == 1
    assert names(tmp_path / "golden") == [made.name]


def test_an_update_killed_and_another_on_a_full_disk(run: Run, dataset: Path, tmp_path: Path) -> None:
    """The previous golden data stay and are whole, nothing stays beside them, and the second says why it wrote none."""
    golden, options = tmp_path / "golden", ("--update-golden", *FEW, f"--dataset={dataset}", f"--golden={tmp_path}/golden")
    before = (shutil.copytree(GOLDEN, golden / "scenes-s+mine") / "manifest.json").read_text()
    assert run("-p", "suites.selftest.sudden", *options).returncode == -signal.SIGKILL
    left = names(golden)
    assert ".scenes-s+mine.old" in left and "scenes-s+mine" not in left and len(left) > 2
    failed = run(*SMALL, *options, env={"FILE_BYTES": "2000"})
    sentence(failed, f"golden data scenes-s+mine could not be written to {golden}: File too large", "free space")
    assert names(golden) == ["scenes-s+mine"]
    assert (golden / "scenes-s+mine" / "manifest.json").read_text() == before and not damaged(golden / "scenes-s+mine")


@pytest.mark.parametrize("outside", ["../other", "/absolute", "", "link"])
def test_a_cache_entry_stays_in_its_folder(tmp_path: Path, outside: str) -> None:
    """A manifest that names a file elsewhere, by a path or by a link, or none at all, is damaged, though the hash is right."""
    other = tmp_path / "other"
    other.write_bytes(b"other")
    entry, _ = cache.cached({"kind": "test"}, lambda folder: (folder / "model").touch(), tmp_path)
    assert cache.is_whole(entry)
    name = str(other) if outside == "/absolute" else outside
    if outside == "link":
        (entry / "link").symlink_to(other)
    files = {name: hashlib.sha256(b"other").hexdigest()} if name else {}
    (entry / "manifest.json").write_text(json.dumps({"files": files}))
    assert not cache.is_whole(entry)


def test_half_builds_of_killed_runs_go(tmp_path: Path) -> None:
    """The next build of the same entry removes them, and no other's."""
    entry, _ = cache.cached({"kind": "test"}, lambda folder: None, tmp_path)
    shutil.rmtree(entry)
    for name in (f"{entry.name}.abcd_123", "test-other.abcd_123"):
        (tmp_path / name).mkdir()
    cache.cached({"kind": "test"}, lambda folder: None, tmp_path)
    assert names(tmp_path) == [entry.name, "test-other.abcd_123"]


def history(folder: Path) -> tuple[WholeFiles, dict[str, str]]:
    """A storage, and what it could not write."""
    from pytest_benchmark.storage.file import FileStorage

    found: dict[str, str] = {}
    silent = SimpleNamespace(info=lambda *_, **__: None)
    return WholeFiles(FileStorage(folder, silent), SimpleNamespace(stash={NOT_WRITTEN: found})), found  # type: ignore[arg-type]


def test_runs_stored_at_once_have_numbers_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight that end in the same moment, and the disk is slow."""
    together = threading.Barrier(8)

    def slowly(target: Path, content: bytes) -> None:
        time.sleep(0.03)
        write_bytes(target, content)

    monkeypatch.setattr(history_files, "write_bytes", slowly)

    def save() -> None:
        storage, _ = history(tmp_path)
        together.wait()
        storage.save({"benchmarks": []}, "same")

    threads = [threading.Thread(target=save) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(tmp_path) == [f"000{number}_same.json" for number in range(1, 9)]


def test_two_updates_wait_for_one_another(tmp_path: Path) -> None:
    """The second neither takes the first one's half-made folder for a leftover nor writes before it is done."""
    where, begun = tmp_path / "model", threading.Event()

    def second() -> None:
        with replacing(where) as work:
            begun.set()
            fill(work, b"second")

    thread = threading.Thread(target=second)
    with replacing(where) as work:
        thread.start()
        assert not begun.wait(0.3)
        fill(work, b"first")
    thread.join()
    assert names(tmp_path) == ["model"] and (where / "vectors").read_bytes() == b"second" and not damaged(where)


def test_who_waited_for_a_lock_holds_the_one_that_others_see(tmp_path: Path) -> None:
    """Its file is removed by the one before, and the third must not hold another file of that name meanwhile."""
    path, inside, leave = tmp_path / ".lock", threading.Semaphore(0), threading.Event()

    def hold() -> None:
        with locked(path):
            inside.release()
            leave.wait()

    threads = [threading.Thread(target=hold) for _ in range(2)]
    with locked(path):
        threads[0].start()
        time.sleep(0.1)  # it waits now
    assert inside.acquire(timeout=HANG_S)
    threads[1].start()
    assert not inside.acquire(timeout=0.3)
    leave.set()
    assert inside.acquire(timeout=HANG_S)
    for thread in threads:
        thread.join()
    assert names(tmp_path) == []


@pytest.mark.parametrize("harm", ["", "vectors", "manifest.json"])
def test_only_whole_golden_data_are_put_back(tmp_path: Path, harm: str) -> None:
    """Damaged ones stay where they are: load_golden says that there are none."""
    old = fill(tmp_path / ".ViT-B.32.old")
    if harm:
        (old / harm).write_text("{")
    put_back(tmp_path / "ViT-B.32")
    assert names(tmp_path) == ([".ViT-B.32.old"] if harm else ["ViT-B.32"])


def test_golden_data_that_are_there_stay(tmp_path: Path) -> None:
    """A kill after the second rename left both: the new ones are right."""
    fill(tmp_path / ".model.old", b"old")
    fill(tmp_path / "model", b"new")
    put_back(tmp_path / "model")
    assert (tmp_path / "model" / "vectors").read_bytes() == b"new"


def test_kills_count_lost_golden_data(tmp_path: Path) -> None:
    """The campaign of `make proof` would see a run that left none, and does what the next run would do."""
    sandbox = Sandbox(tmp_path)
    sandbox.golden.add("model")
    assert sandbox.broken() == ["golden: model is gone"]
    fill(tmp_path / "golden" / ".model.old")
    assert sandbox.broken() == []
    (tmp_path / "golden" / "model" / "vectors").write_bytes(b"")
    assert len(sandbox.broken()) == 1
