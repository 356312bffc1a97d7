"""Preprocessors that go wrong over several calls, on damaged files or on one file are found, and good ones are not."""

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

from suites.selftest.conftest import BRIEF, TINY, Run, start

PLUGIN = ("-p", "suites.selftest.planted.faulty_preprocessors")
BROKEN = {
    "one-buffer": {"P10", "P11"},
    "ring-of-buffers": {"P10", "P11"},
    "kept-by-path": {"P13"},
    "kept-by-image": {"P13"},
    "kept-by-content": set(),
    "handed-out": {"P10"},
    "last-size": {"P11", "P13"},
    "scribbles": {"P10"},
    "one-scratch": {"P11"},
    "locked-scratch": set(),
    "plain-pillow": {"P9"},
    "forgiving": {"P9"},
    "other-error": {"P9"},
    "original_clip": set(),
    "read_from_cv": set(),
}


@pytest.fixture(scope="module")
def broken(few: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Promises by preprocessor, of one run over all of them."""
    files = ("suites/preprocessing/test_calls.py", "suites/preprocessing/test_files.py")
    done = start(tmp_path_factory.mktemp("calls"), *files, *PLUGIN, *few, f"--preprocessor={','.join(BROKEN)}", "--tb=short")
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-1000:]
    found = defaultdict(set)
    for promise, name in re.findall(r"^(P\d+) broken: .+\n.+\nin (\S+)$", done.stdout, re.MULTILINE):
        found[name].add(promise)
    assert " error" not in done.stdout.splitlines()[-1], done.stdout[-3000:]
    return found


@pytest.mark.parametrize("name", BROKEN)
def test_calls(broken: dict[str, set[str]], name: str) -> None:
    """The promise that is meant to break does, and a good one breaks none."""
    assert broken[name] >= BROKEN[name]
    assert bool(broken[name]) == bool(BROKEN[name])


def test_one_buffer_beside_the_reference(run: Run, few: list[str]) -> None:
    """A buffer that is given again and again is copied at once: its pixels are its own, whoever runs beside it."""
    for others in ("", ",original_clip"):
        chosen = ("suites/preprocessing/test_pixels.py", "-k", "test_opaque or test_transparent", *PLUGIN, *few)
        done = run(*chosen, f"--preprocessor=one-buffer{others}")
        assert done.returncode == 0, done.stdout[-3000:]


def test_a_file_that_one_cannot_read(run: Run, tiny: list[str], tmp_path: Path) -> None:
    """Its cells fail, whatever they declare; the others pass, and the run goes on to its end."""
    given = ("--backend=torch-eager", "--precision=fp32", "--preprocessor=original_clip,picky,picky-squash", *PLUGIN, *tiny)
    done = run("suites/preprocessing", "suites/embeddings", "suites/retrieval", *BRIEF, *given)
    assert done.returncode == 1
    rows = {row["preprocessor"]: row for row in json.loads((tmp_path / "report.json").read_text())["cells"]}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "original_clip": "pass",
        "picky": "fail",
        "picky-squash": "fail",
    }
    for name, file in (("picky", "rgba_2162x762.png"), ("picky-squash", "scene_000.jpg")):
        assert f"{name} cannot read image" in rows[name]["reason"] and file in rows[name]["reason"]
        assert "RuntimeError: no such colours in my table" in rows[name]["reason"]
        assert {"C1", "P3"} <= set(rows[name]["broken_promises"])
    assert "Traceback" not in done.stdout and "in raw" not in done.stdout


def test_a_file_that_nobody_can_read(run: Run, dataset: Path) -> None:
    """It ends the run in one sentence, from whichever preprocessor comes first."""
    path = dataset / "images" / "scene_001.jpg"
    path.write_bytes(path.read_bytes()[:-2])
    done = run("--update-golden", *TINY, f"--dataset={dataset}", f"--golden={dataset}", "--preprocessor=read_from_cv")
    assert done.returncode != 0
    assert "scene_001.jpg cannot be decoded" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
