"""The gate end to end, on one planted backend of known speed: every hole of plain pytest-benchmark, closed."""

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suites.selftest import forked
from suites.selftest.conftest import TINY, small_dataset
from suites.selftest.patience import HANG_S

MODEL = "tiny:clip@random:0"
CELL = f"{MODEL}-slow-fp32-cpu"
Gate = Callable[..., subprocess.CompletedProcess[str]]


def gate(storage: Path, *args: str, times: int = 1, plant: str = "") -> subprocess.CompletedProcess[str]:
    """One inner run of the encoders' latency tests with --benchmark-compare, its files beside the storage."""
    arguments = [
        "suites/latency",
        "-p",
        "suites.selftest.planted.misdeclared_backends",
        "-p",
        "suites.studies.faults.slow",
        *TINY,
        "--device=cpu",
        "--latency-budget=1",
        "--benchmark-quiet",
        f"--benchmark-storage={storage}",
        f"--report={storage.parent}/report.json",
        "--benchmark-compare",
        *args,
    ]
    return forked.run(arguments, {"EXTRA": str(times - 1), "PLANT": plant})


def stored(storage: Path) -> list[dict[str, Any]]:
    """Contents of every stored run, oldest first."""
    return [json.loads(path.read_text()) for path in sorted(storage.glob("*/*.json"))]


def names(run: dict[str, Any]) -> set[str]:
    """Test ids in a stored run, without their folder."""
    return {bench["fullname"].split("::")[1] for bench in run["benchmarks"]}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> dict[str, Any]:
    """A first run with a sound and a faulty encoder; one of the other tower; one four times as slow; the same again."""
    storage = tmp_path_factory.mktemp("story") / "stored"
    image = ("-k", "test_encode and image", "--precision=fp32", *tiny)
    first = gate(storage, *image, "--backend=slow,noisy", plant="noisy")
    small = f"--dataset={small_dataset(storage.parent / 'data')}"  # alternation needs one image and no golden data
    alone = ("--backend=slow", "--precision=fp32", small)
    other = gate(storage, "-k", "alternation and text", *alone)
    junit = storage.parent / "junit.xml"
    slow = gate(storage, *image, "--backend=slow", f"--junit-xml={junit}", times=4)
    report = json.loads((storage.parent / "report.json").read_text())
    again = gate(storage, "-k", "alternation and image", *alone, times=4)
    return {
        "storage": storage,
        "first": first,
        "other": other,
        "slow": slow,
        "again": again,
        "junit": junit,
        "report": report,
        "alone": ("-k", "alternation and image", *alone),
    }


def test_first_run_says_that_there_is_no_baseline(story: dict[str, Any]) -> None:
    """Hole 2: it says so and stores the run, which plain pytest-benchmark does not with --benchmark-compare alone."""
    assert f"no baseline for {CELL} image, recorded one" in story["first"].stdout, story["first"].stdout[-3000:]
    assert story["other"].returncode == 0, story["other"].stdout[-3000:]


def test_a_failed_test_is_not_stored(story: dict[str, Any]) -> None:
    """Hole 8: the noisy encoder's vectors differ from call to call, L1 fails after timing, and no figure of it is kept."""
    assert story["first"].returncode == 1
    assert "cosine distance of a timed vector to torch eager fp32's is " in story["first"].stdout
    first = stored(story["storage"])[0]
    assert names(first) == {f"test_encode[{CELL}-image]", f"test_encode_in_alternation[{CELL}-image]"}


def test_percentiles_warm_up_and_processes_are_stored(story: dict[str, Any]) -> None:
    """Holes 11, 13, 16: percentiles, the median's interval, what warming up took, and each process's ratio to the reference."""
    first = {bench["name"].split("[")[0]: bench["extra_info"] for bench in stored(story["storage"])[0]["benchmarks"]}
    single, paired = first["test_encode"], first["test_encode_in_alternation"]["vs_reference"]
    assert single["p50_low"] <= single["p50"] <= single["p50_high"] <= single["p99"]
    assert single["p50"] <= single["p90"] <= single["p95"] <= single["p99"]
    assert single["first_call"] > 0 and "calls_to_steady" in single
    assert paired["reference"] == f"{MODEL}-torch-eager-fp32-cpu"
    assert paired["low"] <= paired["ratio"] <= paired["high"]
    assert len(paired["starts"]) == len(paired["starting"]["load"]) == paired["n"] >= 2


def test_a_slow_cell_fails_its_own_test(story: dict[str, Any]) -> None:
    """Holes 1, 5, 7: exit 1, a failure in JUnit, with promise, numbers, the cell's own baseline (not the newest file)."""
    output = story["slow"].stdout
    assert story["slow"].returncode == 1, output[-3000:]
    for part in (
        "L4 broken: against a reference in alternation",
        f"in {CELL}",
        "allowed",
        "baseline: ",
        "0001_",
        "again: pytest 'suites/latency/test_history.py::",
    ):
        assert part in output, part
    assert "--benchmark-compare --benchmark-storage=" in output
    failures = [case.get("name") for case in ET.parse(story["junit"]).iter("testcase") if case.find("failure") is not None]
    assert failures == [f"test_encode_in_alternation[{CELL}-image]"]
    (row,) = story["report"]["cells"]
    found = row["latency_ratio"]["image"]
    assert row["verdict"] == found["verdict"] == "fail" and row["broken_promises"] == ["L4"]
    assert found["change"]["low"] > 1 + found["allowed_slowdown"]
    assert {"p50", "p90", "p95", "p99", "file"} == set(row["latency_ms"]["image"]["then"])


def test_a_failed_run_is_never_the_baseline(story: dict[str, Any]) -> None:
    """Hole 6: the rerun fails as the first did, and neither left a file."""
    assert story["again"].returncode == 1, story["again"].stdout[-3000:]
    assert "L4 broken" in story["again"].stdout and "0001_" in story["again"].stdout
    assert len(stored(story["storage"])) == 2


def test_unchanged_code_is_not_failed_and_compare_fail_is_a_test_failure(story: dict[str, Any], tmp_path: Path) -> None:
    """Hole 7 again: pytest-benchmark's own threshold fails the test where stored times are a millionth; L4 judges no time."""
    shutil.copytree(story["storage"], tmp_path / "stored")
    stored_times(tmp_path / "stored", 1e-6)
    run = gate(tmp_path / "stored", *story["alone"], "--benchmark-compare-fail=median:50%")
    assert run.returncode == 1 and "Traceback" not in run.stdout + run.stderr
    assert "--benchmark-compare-fail: Field 'median' has failed PercentageRegressionCheck" in run.stdout, run.stdout[-3000:]
    assert "L4 broken" not in run.stdout
    assert len(stored(tmp_path / "stored")) == 2


def stored_times(storage: Path, factor: float) -> None:
    """Scale the stored absolute times, which the gate does not judge."""
    for path in storage.glob("*/*.json"):
        data = json.loads(path.read_text())
        for bench in data["benchmarks"]:
            bench["stats"] |= {name: bench["stats"][name] * factor for name in ("min", "max", "mean", "median")}
        path.write_text(json.dumps(data))


def test_vanished_cells_and_other_machines_are_named(story: dict[str, Any], tmp_path: Path) -> None:
    """Holes 4, 9, 10, 2: a stored cell that is gone, another GPU's history, no baseline: a strict run fails and says each."""
    storage = tmp_path / "stored"
    shutil.copytree(story["storage"], storage)
    first, second = sorted(storage.glob("*/*.json"))
    data = json.loads(first.read_text())
    assert "hz" not in json.dumps(data["machine_info"])
    data["machine_info"] |= {"gpu": "NVIDIA A100, 580.1, 8.0", "key": "other"}
    first.write_text(json.dumps(data))
    second.write_text(second.read_text().replace(CELL, f"{MODEL}-renamed-fp32-cpu"))
    first.with_name("0003_torn.json").write_text(first.read_text()[:1000])
    run = gate(storage, *story["alone"], "--strict-cells")
    assert run.returncode == 1 and "L4 broken" not in run.stdout, run.stdout[-3000:]
    assert "Failed to load" in run.stdout and "0003_torn.json" in run.stdout
    assert f"not compared: {MODEL}-renamed-fp32-cpu text: stored in" in run.stdout
    assert f"no baseline for {CELL} image, recorded one: a stored run from another environment exists" in run.stdout
    assert "(differs in gpu NVIDIA" in run.stdout and "to compare with it anyway: --benchmark-compare=" in run.stdout


def test_stored_files_are_pytest_benchmarks_own(story: dict[str, Any], tmp_path: Path) -> None:
    """Its command line reads them, and draws its histogram where pygal is installed."""
    command = [sys.executable, "-m", "pytest_benchmark", f"--storage={story['storage']}", "compare"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=HANG_S)
    assert result.returncode == 0 and f"test_encode_in_alternation[{CELL}-image]" in result.stdout, result.stderr


def test_a_comparison_of_nothing_fails(tmp_path: Path) -> None:
    """Nothing that is selected alternates: exit 1, and it says what to select."""
    small = small_dataset(tmp_path / "data")
    run = gate(tmp_path / "stored", "-k", "test_preprocess and our_clip", f"--dataset={small}")
    assert run.returncode == 1 and "1 passed" in run.stdout, run.stdout[-3000:]
    assert "--benchmark-compare compared nothing" in run.stdout


REFUSED = {
    "hole 3": (("--benchmark-compare", "suites/"), "put paths of tests before it"),
    "hole 14": (("-p", "suites.selftest.planted.parallel", "--numprocesses=2"), "-n 2 runs several tests at once"),
    "nothing measured": (
        ("--benchmark-compare", "--benchmark-disable"),
        "measures nothing that --benchmark-compare could compare",
    ),
    "no such run": (("suites/latency", "--benchmark-compare=0099"), "no stored run of that name"),
    "compare-fail alone": (("--benchmark-compare-fail=mean:5%",), "nothing to compare with"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    """Exit 4, one sentence, nothing run."""
    args, sentence = REFUSED[case]
    result = forked.run([f"--benchmark-storage={tmp_path}", *args], {}, supervised=True)
    assert result.returncode == 4 and sentence in result.stdout + result.stderr, result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr and "passed" not in result.stdout
