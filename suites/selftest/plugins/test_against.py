"""Two versions side by side, in a clone of this repository: what is worse is told from what is not, and nothing is left."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import uuid
import venv
from pathlib import Path
from typing import Any

import pytest

from fixtures import ROOT
from fixtures.datasets import ODD_TEXTS
from plugins.golden.verified import SHOWN
from plugins.report.schema import check
from suites.selftest.conftest import TINY, small_dataset, start
from suites.selftest.patience import HANG_S, patience

LAST = f"{ODD_TEXTS[-1][:SHOWN]!r}… ({len(ODD_TEXTS[-1])} characters)"  # of the texts
PLANTED = Path("fixtures", "backends", "faulty.py")
THEIRS = """
from fixtures.backends.torch_eager import TorchEager

class Theirs(TorchEager):
    name = "theirs"
    precisions = ("bf16",)
"""
SCALED = """
    def load(self, model, precision, device):
        encoder = super().load(model, precision, device)
        download = encoder.download
        encoder.download = lambda embedding: 1.1 * download(embedding)
        return encoder
"""


def git(folder: Path, *command: str) -> str:
    """Git as somebody without settings."""
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "core.hooksPath=/dev/null"]
    return subprocess.run(["git", *who, *command], cwd=folder, check=True, capture_output=True, text=True).stdout


class Clone:
    """A clone whose commit `base` is this working tree with good backends, and whose own files have the faulty ones."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root, self.mark = folder, folder / "clone", uuid.uuid4().hex
        git(folder, "clone", "--quiet", "--local", "--shared", str(ROOT), "clone")
        for name in filter(None, git(ROOT, "ls-files", "--modified", "--others", "--exclude-standard", "-z").split("\0")):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        planted = ROOT / "suites" / "selftest" / "planted"
        shutil.copy(planted / "tiny.py", self.root / "fixtures" / "models")  # a family for workers, which load no plug-in
        source = (planted / "faulty_versions.py").read_text()
        (self.root / PLANTED).write_text(source)
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--message=good")
        git(self.root, "tag", "base")
        (self.root / PLANTED).write_text(source.replace("FAULTY = False", "FAULTY = True"))
        options = [f"--dataset={small_dataset(folder / 'mine')}", f"--golden={folder}/golden"]
        start(folder, "--update-golden", *TINY, *options)
        self.options = [*options, *TINY, "--precision=bf16", "--device=cpu", f"--report={folder}/report.json"]
        (folder / "golden" / "latency.toml").write_text("slowdown = 0.3\nfalse_alarms = 0.01\nbetween_runs = 0.01\n")
        tolerances = next((folder / "golden").glob("*/tolerances.toml"))
        derived = tomllib.loads(tolerances.read_text())["bf16"]
        last = {"image": "scene_002.jpg", "text": LAST}  # the inputs that drift, which may have limits of their own
        tables = {tower: {**derived[tower], **derived[tower].get("exceptions", {}).get(last[tower], {})} for tower in last}
        limits = {tower: table["max_abs"]["limit"] for tower, table in tables.items()}
        self.planted = {"STEPS": f"{0.99 * limits['image']} {1.01 * limits['text']}", "MARK": self.mark}

    def begin(self, *args: str, here: Path | None = None) -> "subprocess.Popen[str]":
        """Start a run, whose temporary files and processes can be told from all others."""
        (self.folder / "report.json").unlink(missing_ok=True)
        (self.folder / "tmp").mkdir(exist_ok=True)
        environment = {
            **os.environ,
            **self.planted,
            "TMPDIR": f"{self.folder}/tmp",
            "COLUMNS": "200",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *self.options, *args],
            cwd=here or self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
        )

    def run(self, *args: str, here: Path | None = None) -> tuple[int, str]:
        """Exit code and what was printed; nothing may be left."""
        process = self.begin(*args, here=here)
        printed, _ = process.communicate(timeout=HANG_S)
        self.nothing_left()
        return process.returncode, printed

    def nothing_left(self) -> None:
        """No process with this clone's mark, no revision written out, nothing noted in the repository."""
        assert self.alive() == []
        assert list((self.folder / "tmp").glob("clip-against-*")) == []
        assert git(self.root, "worktree", "list").count("\n") == 1

    def alive(self) -> list[str]:
        """Command lines of the processes that a run has started and that have not ended."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if f"MARK={self.mark}".encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_text().replace("\0", " "))
            except OSError:  # it has just ended, or is somebody else's
                continue
        return found

    def cells(self) -> dict[str, Any]:
        """Rows of the report by backend."""
        report = (self.folder / "report.json").read_text()
        check(report)
        return {cell["backend"]: cell for cell in json.loads(report)["cells"]}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """See Clone; needs /proc to look for processes in."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("this system has no /proc, where processes that were left behind would show")
    return Clone(tmp_path_factory.mktemp("against"))


@pytest.fixture(scope="module")
def compared(clone: Clone) -> tuple[str, dict[str, Any]]:
    """One run over backends that give wrong vectors or are slow: what it printed, and its report."""
    return _compared(clone, "same,drifting,slower")


@pytest.fixture(scope="module")
def troubled(clone: Clone) -> dict[str, Any]:
    """The report of a run over backends that do not answer."""
    return _compared(clone, "crashing,hanging,newcomer")[1]


def _compared(clone: Clone, names: str) -> tuple[str, dict[str, Any]]:
    limits = (f"--against-limit={patience(5)}", "--latency-budget=0.5")
    code, printed = clone.run("--against", "base", "--backend", names, *limits)
    assert code == 1, printed[-3000:]
    return printed, clone.cells()


def test_same_code_passes(compared: tuple[str, dict[str, Any]]) -> None:
    """Two workers of equal code agree to the bit; neither is slower by the limit."""
    printed, cells = compared
    found = cells["same"]
    assert (found["verdict"], found["broken_promises"]) == ("pass", [])
    assert "this working tree against revision base (" in found["against"]["what"]
    for tower in ("image", "text"):
        assert found["against"]["accuracy"][tower]["cosine_distance"] == 0
        latency = found["against"]["latency"][tower]
        assert latency["verdict"] != "fail" and latency["allowed"] == 1.3
        assert latency["interval"][0] <= latency["ratio"] <= latency["interval"][1]
    table = printed.split(" side by side ")[1]
    assert len([line for line in table.splitlines() if line.startswith("tiny:clip@random:0-same-bf16-cpu  ")]) == 2  # towers


def test_drift_is_told_to_one_percent(compared: tuple[str, dict[str, Any]]) -> None:
    """One value of one embedding, 1 % within its tolerance and 1 % beyond it; the worst input is named."""
    printed, cells = compared
    found = cells["drifting"]["against"]["accuracy"]
    assert found["image"]["share_of_tolerance"] == pytest.approx(0.99, rel=1e-3)
    assert found["text"]["share_of_tolerance"] == pytest.approx(1.01, rel=1e-3)
    assert found["text"]["worst_input"] == LAST and "A1" in cells["drifting"]["broken_promises"]
    assert "--against=base" in printed.split("again: pytest ")[1].split("\n")[0]
    assert f"(1.01 times the limit); worst input: {LAST}; 1 of {2 + len(ODD_TEXTS)} inputs beyond the limit" in printed


def test_more_work_is_slower(compared: tuple[str, dict[str, Any]]) -> None:
    """Three times the work for the same vectors breaks A2 and nothing else."""
    found = compared[1]["slower"]
    assert found["broken_promises"] == ["A2"]
    for tower in ("image", "text"):
        assert found["against"]["accuracy"][tower]["cosine_distance"] == 0
        assert found["against"]["latency"][tower]["verdict"] != "pass"


@pytest.mark.long
@pytest.mark.parametrize(
    ("backend", "verdict", "reason"),
    [
        ("crashing", "fail", "in this working tree ended with SIGSEGV during 'forward': about to divide by zero"),
        ("hanging", "fail", "in this working tree did not answer 'forward' within"),
        ("newcomer", "skipped", "no backend newcomer there, so nothing to compare with"),
    ],
)
def test_trouble_is_one_sentence(troubled: dict[str, Any], backend: str, verdict: str, reason: str) -> None:
    """It names the side, the signal or the limit, and costs that encoder alone."""
    found = troubled[backend]
    assert found["verdict"] == verdict
    assert reason in found["reason"] and "\n" not in found["reason"]


@pytest.mark.long
def test_other_repository_and_other_python(clone: Clone) -> None:
    """A module of somebody else's repository beside its own revision, in an interpreter that is named."""
    folder = clone.folder / "theirs"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "their_encoder.py").write_text(THEIRS)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=good")
    (folder / "lib" / "their_encoder.py").write_text(THEIRS + SCALED)
    chosen = ["--backend=their_encoder:Theirs", "--against=HEAD", f"--against-python={sys.executable}"]
    code, printed = clone.run(str(clone.root), *chosen, here=folder / "lib")
    assert code == 1, printed[-3000:]
    found = clone.cells()["theirs"]
    assert "A1" in found["broken_promises"]
    assert f"under {sys.executable}" in found["against"]["what"] and "packages" not in found["against"]
    assert found["against"]["accuracy"]["image"]["share_of_tolerance"] > 1


def test_python_without_packages(clone: Clone) -> None:
    """An interpreter that cannot import what is needed fails in a sentence that names it and the package."""
    bare = clone.folder / "bare"
    venv.create(bare, with_pip=False, symlinks=True)
    code, printed = clone.run(f"--against-python={bare}/bin/python", "--backend=same")
    assert code == 1, printed[-3000:]
    reason = clone.cells()["same"]["reason"]
    assert f"in {bare}/bin/python ended with exit code 1" in reason and "No module named 'numpy'" in reason


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--against=no-such-branch"], "no revision 'no-such-branch' in clone: expected a commit, branch or tag"),
        (["--against-python=README.md"], "README.md is no Python that runs"),
        (["--against=base", "--against-repository=/"], "/ is in no git repository"),
    ],
)
def test_what_cannot_be_compared_ends_the_run(clone: Clone, options: list[str], sentence: str) -> None:
    """One sentence, exit code 4, before anything is loaded."""
    code, printed = clone.run("--backend=same", *options)
    assert code == 4 and sentence in printed


@pytest.mark.long
def test_interrupted(clone: Clone) -> None:
    """Ctrl-C while a worker hangs, and its child with it: none of them outlives the run."""
    process = clone.begin("--against", "base", "--backend=hanging")
    until = time.monotonic() + HANG_S
    while not any(line.startswith("sleep") for line in clone.alive()):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=HANG_S)
    assert process.returncode == int(pytest.ExitCode.INTERRUPTED)
    clone.nothing_left()


def test_suite_is_part_of_comparisons_only(clone: Clone) -> None:
    """Without something to compare with, it is not collected; with it, it is all that runs."""
    code, printed = clone.run("suites/against")
    assert code == 4 and "expected --against=REVISION, --against-python=PYTHON or both" in printed
    assert "suites/against" not in clone.run("--collect-only", "-q", "--backend=same", "suites")[1]
    listed = clone.run("--collect-only", "-q", "--against=base", "--backend=same")[1]
    assert [line.split("::")[0] for line in listed.splitlines() if "::" in line] == ["suites/against/test_sides.py"] * 4
