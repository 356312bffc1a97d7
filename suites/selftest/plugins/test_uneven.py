"""Answers from memory, and slow calls: what a comparison of fastest calls of known inputs does not see."""

import json
from pathlib import Path

from suites.selftest import forked
from suites.selftest.conftest import TINY, Run, small_dataset

TRIES = 8  # on a busy machine the stored run and the reference have slow calls of their own, beside which these are none
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


def test_slow_calls_fail_the_gate(tmp_path: Path) -> None:
    """Every fourth call takes eight times as long: the middle hides it, the count of slow blocks does not."""
    for number in range(TRIES):
        folder = tmp_path / str(number)
        folder.mkdir()
        arguments = [
            *PLANT,
            *TINY,
            "suites/latency/test_history.py",
            "--backend=uneven",
            "-k",
            "text",
            "--latency-budget=1.5",
            "--benchmark-compare",
            f"--benchmark-storage={folder}/stored",
            f"--dataset={small_dataset(folder / 'data')}",
            f"--report={folder}/report.json",
        ]
        first = forked.run(arguments, {})
        assert first.returncode == 0 and "no baseline" in first.stdout, first.stdout[-3000:]
        again = forked.run(arguments, {"EVERY": "4", "TIMES": "8"})
        found = json.loads((folder / "report.json").read_text())["cells"][0]["latency_ratio"]["text"]
        if again.returncode == 1 and found["tails"][1]["now"] > 0.5:
            break
    assert again.returncode == 1 and "more slow calls: a call over 4 times the median in " in again.stdout, again.stdout[-3000:]
    assert found["verdict"] == "fail" and found["tails"][1]["now"] > 0.5 > found["tails"][1]["others"]["in the stored run"]
    assert len(list((folder / "stored").glob("*/*.json"))) == 1


def test_a_run_that_could_see_nothing_is_not_green(tmp_path: Path) -> None:
    """An exit code of its own, a sentence that says what helps, and an option that accepts it."""
    arguments = [
        *PLANT,
        *TINY,
        "suites/latency/test_history.py",
        "--backend=torch-eager",
        "-k",
        "text",
        "--latency-budget=0.01",
        "--benchmark-compare",
        f"--benchmark-storage={tmp_path}/stored",
        f"--dataset={small_dataset(tmp_path / 'data')}",
        f"--golden={_strict(tmp_path / 'golden')}",
        f"--report={tmp_path}/report.json",
    ]
    assert forked.run(arguments, {}).returncode == 0
    unclear = forked.run(arguments, {})
    assert unclear.returncode == 8 and "1 comparison of latency could not have seen" in unclear.stdout, unclear.stdout[-3000:]
    assert "would have seen +" in unclear.stdout and "--latency-budget=0.04 (now 0.01 s)" in unclear.stdout
    assert forked.run([*arguments, "--allow-inconclusive"], {}).returncode == 0


def _strict(folder: Path) -> Path:
    """Golden data whose limit no comparison of a hundredth of a second reaches."""
    folder.mkdir()
    (folder / "latency.toml").write_text("false_alarms = 0.01\nslowdown = 0.0001\nbetween_runs = 0.05\n")
    return folder
