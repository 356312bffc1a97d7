"""--test-limit bounds what happens before, between and after tests, too; what was found until then is kept."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures import ROOT
from plugins.supervision import supervisor
from plugins.supervision.journal import Journal
from suites.selftest.conftest import start

LIMIT_S = 12  # for what takes no second on an idle machine
WHERE = ("test_first", "finish", "end")
QUICK = ("-p", "suites.selftest.planted.quick", "suites/selftest/planted/quick.py")


@pytest.fixture(scope="module")
def hung(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CompletedProcess[str]]:
    """Runs that hang in one of these places each, at once: they mostly wait."""

    def run(where: str) -> CompletedProcess[str]:
        folder: Path = tmp_path_factory.mktemp("hung")
        return start(
            folder,
            *QUICK,
            "-rA",
            f"--test-limit={LIMIT_S}",
            "--memory-limit=4",
            env={"HANGS": f"{where}:{folder}/hung"},
            supervised=True,
            forks=False,
        )

    with ThreadPoolExecutor(len(WHERE)) as threads:
        return dict(zip(WHERE, threads.map(run, WHERE), strict=True))


@pytest.mark.parametrize(
    ("where", "sentence", "passed", "code"),
    [
        (
            "test_first",
            "in suites/selftest/planted/quick.py::test_first: its cell fails, the others continue",
            ["test_second"],
            1,
        ),
        (
            "finish",
            "after suites/selftest/planted/quick.py::test_second: its cell fails, the others continue",
            ["test_first"],
            1,
        ),
        (
            "end",
            "after its last test, suites/selftest/planted/quick.py::test_second: its results",
            ["test_first", "test_second"],
            1,
        ),
    ],
)
def test_it_ends(hung: dict[str, CompletedProcess[str]], where: str, sentence: str, passed: list[str], code: int) -> None:
    """One sentence names the last owner, and the rest is told."""
    done = hung[where]
    assert f"the run hung for {LIMIT_S} s (--test-limit) {sentence}" in done.stderr, done.stdout + done.stderr
    found = [line.rpartition("::")[2] for line in done.stdout.splitlines() if line.startswith("PASSED")]
    assert found == passed and done.returncode == code, done.stdout


def test_a_collection_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cell is to blame, and the run ends."""
    monkeypatch.setattr(supervisor, "START_S", 3.0)
    monkeypatch.setenv("HANGS", f"collection:{tmp_path}/hung")
    options = {"--test-limit": 3.0, "--memory-limit": None}
    config: Any = SimpleNamespace(getoption=options.get, invocation_params=SimpleNamespace(args=QUICK, dir=ROOT))
    journal = Journal(tmp_path / "journal.jsonl")
    assert supervisor._Run(config, journal).to_its_end() == "hung for 3 s (--test-limit)"
    assert journal.blame("hung") is None and journal.place == "before its first test"
