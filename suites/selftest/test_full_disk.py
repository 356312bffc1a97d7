"""On a full disk: one sentence says what was not written, where, and what to do; nothing half-written stays."""

import errno
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from fixtures.errors import BadInput
from fixtures.full_disk import writing
from plugins.written import write_bytes
from suites.selftest.conftest import Run
from suites.selftest.test_bad_input import sentence
from suites.selftest.test_robust_writes import FEW, FORM, SMALL, history, names

HISTORY = "suites/latency/test_history.py"  # needs no golden data
KEEPING = ("-p", "suites.selftest.keeping", HISTORY, "--backend=keeping", "--device=cpu")


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process may grow beyond 64 KiB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_at_the_end_of_a_run(run: Run, dataset: Path, tmp_path: Path) -> None:
    """Neither the report nor the history is there in part, both are named, and the table is shown all the same."""
    storage = ("--benchmark-enable", f"--benchmark-storage=file://{tmp_path}/history", "--benchmark-autosave")
    env = {"FILE_BYTES": "1000"}
    ended = run(*SMALL, HISTORY, *FEW, f"--dataset={dataset}", "--latency-budget=0.2", *storage, env=env)
    sentence(ended, f"report.json could not be written to {tmp_path}: File too large", "free space")
    sentence(ended, f".json could not be written to {tmp_path}/history", "File too large", "free space")
    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert "1 of 1 cells ran: 1 pass" in ended.stdout and f"report: {tmp_path}" not in ended.stdout
    assert names(tmp_path) == ["history", "mine"] and not any(path.is_file() for path in (tmp_path / "history").rglob("*"))


def test_a_full_device() -> None:
    """/dev/full has no space and is no ordinary file: it is written to and never replaced."""
    with pytest.raises(
        BadInput, match=r"^full could not be written to /dev: No space left on device, .*free space on that disk"
    ):
        write_bytes(Path("/dev/full"), b"report")
    assert Path("/dev/full").is_char_device()


def test_full_disk_while_the_journal_is_written(run: Run) -> None:
    """The run ends; it is not taken for a cell that crashed."""
    full = run(*SMALL, FORM, *FEW, env={"FILE_BYTES": "100"}, supervised=True)
    sentence(full, "the run's journal could not be written to", "free space")


def test_full_disk_while_a_build_is_kept(run: Run, dataset: Path, tmp_path: Path) -> None:
    """It leaves no entry and ends the run, which would need that space again and again."""
    env = {"CLIP_CONFORMANCE_CACHE": f"{tmp_path}/cache", "FILE_BYTES": "100000"}
    failed = run(*SMALL, *KEEPING, f"--dataset={dataset}", env=env)
    sentence(failed, "cache entry keeping-", f"could not be written to {tmp_path}/cache: File too large", "free space")
    assert names(tmp_path / "cache") == []


@pytest.mark.usefixtures("small_files")
def test_a_file_that_does_not_fit(tmp_path: Path) -> None:
    """The file that was there stays, and no temporary one."""
    target = tmp_path / "report.json"
    write_bytes(target, b"before")
    with pytest.raises(
        BadInput, match=r"^report\.json could not be written to .*: File too large, [\d,]+ MiB are free there; "
    ):
        write_bytes(target, bytes(2**17))
    assert names(tmp_path) == ["report.json"] and target.read_bytes() == b"before"


@pytest.mark.usefixtures("small_files")
def test_history_that_does_not_fit(tmp_path: Path) -> None:
    """The first run is stored, the second is not and is noted, and no temporary file or lock stays."""
    storage, found = history(tmp_path)
    storage.save({"benchmarks": []}, "a")
    storage.save({"benchmarks": ["x" * 2**17]}, "a")
    assert names(tmp_path) == ["0001_a.json"]
    assert "0002_a.json could not be written" in found["history"]


def caused(by: Exception) -> Exception:
    """An exporter's error that another one led to."""
    error = RuntimeError("export failed")
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "free", "said"),
    [
        (OSError(errno.ENOSPC, "full"), 2**30, os.strerror(errno.ENOSPC)),
        (OSError(errno.EDQUOT, "full"), 2**30, "quota"),
        (caused(OSError(errno.ENOSPC, "full")), 2**30, os.strerror(errno.ENOSPC)),
        (RuntimeError("No space left on device (os error 28)"), 2**30, os.strerror(errno.ENOSPC)),
        (RuntimeError("failed writing file"), 0, os.strerror(errno.ENOSPC)),
        (RuntimeError("failed writing file"), 2**30, None),
        (PermissionError(errno.EACCES, "no"), 2**30, None),
    ],
)
def test_what_a_full_disk_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, free: int, said: str | None
) -> None:
    """By its number, its words in another library's error, or because nothing is free; any other error stays itself."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(BadInput if said else type(error), match=said), writing("x", tmp_path / "new" / "folder"):
        raise error
