"""Answers from memory, and slow calls: what a comparison of fastest calls of known inputs does not see."""

import json
import subprocess
from pathlib import Path

from suites.selftest import forked
from suites.selftest.conftest import TINY, Run, small_dataset

PLANT = ("-p", "suites.selftest.planted.uneven_backends", "--device=cpu", "--precision=fp32")


def test_answers_from_memory(run: Run, few: list[str], tmp_path: Path) -> None:
    """L5 says so, and by how much; it does not blame an encoder that computes every time."""
    done = run(
        *PLANT, "suites/latency/test_latency.py", "-k", "(repeats or encode) and text", "--backend=remembers,uneven", *few
    )
    rows = {row["backend"]: row for row in json.loads((tmp_path / "report.json").read_text())["cells"]}
    assert rows["uneven"]["verdict"] == "pass", done.stdout[-3000:]
    assert rows["remembers"]["broken_promises"] == ["L5"] and "answers are remembered" in done.stdout
    ratios = {name: row["latency_repeated"]["text"]["ratio"] for name, row in rows.items()}
    assert ratios["remembers"] < 0.5 < ratios["uneven"]


def compare(folder: Path, *options: str, **planted: str) -> "subprocess.CompletedProcess[str]":
    """A comparison on the played clock with what `folder` has stored."""
    arguments = [
        *PLANT,
        *TINY,
        "-p",
        "suites.selftest.planted.played_clock",
        "suites/latency/test_history.py",
        "-k",
        "text",
        "--benchmark-compare",
        f"--benchmark-storage={folder}/stored",
        f"--dataset={folder}/data",
        f"--report={folder}/report.json",
        *options,
    ]
    return forked.run(arguments, planted)


def test_slow_calls_fail_the_gate(tmp_path: Path) -> None:
    """Every fourth call takes eight times as long: the middle hides it, the count of slow blocks does not."""
    small_dataset(tmp_path / "data")
    options = ("--backend=uneven", "--latency-budget=1.5")
    first = compare(tmp_path, *options)
    assert first.returncode == 0 and "no baseline" in first.stdout, first.stdout[-3000:]
    again = compare(tmp_path, *options, EVERY="4", TIMES="8")
    found = json.loads((tmp_path / "report.json").read_text())["cells"][0]["latency_ratio"]["text"]
    assert again.returncode == 1 and "more slow calls: a call over 4 times the median in " in again.stdout, again.stdout[-3000:]
    assert "\nslower" not in again.stdout and found["ratio"] < 1.1
    assert found["verdict"] == "fail" and found["tails"][1]["now"] > 0.5 > found["tails"][1]["others"]["in the stored run"]
    assert len(list((tmp_path / "stored").glob("*/*.json"))) == 1


def test_a_run_that_could_see_nothing_is_not_green(tmp_path: Path) -> None:
    """An exit code of its own, a sentence that says what helps, and an option that accepts it."""
    small_dataset(tmp_path / "data")
    options = ("--backend=torch-eager", "--latency-budget=0.01", f"--golden={_strict(tmp_path / 'golden')}")
    assert compare(tmp_path, *options).returncode == 0
    unclear = compare(tmp_path, *options)
    assert unclear.returncode == 8 and "1 comparison of latency could not have seen" in unclear.stdout, unclear.stdout[-3000:]
    assert "would have seen +" in unclear.stdout and "--latency-budget=0.04 (now 0.01 s)" in unclear.stdout
    assert compare(tmp_path, *options, "--allow-inconclusive").returncode == 0


def _strict(folder: Path) -> Path:
    """Golden data whose limit no comparison of a hundredth of a second reaches."""
    folder.mkdir()
    (folder / "latency.toml").write_text("false_alarms = 0.01\nslowdown = 0.0001\nbetween_runs = 0.05\n")
    return folder
