"""A known failure has a bound, a tower and a key that means something: beyond, elsewhere and otherwise it is a failure."""

import json
import re
import subprocess
from typing import Any

import numpy as np
import pytest

from fixtures.bounds import SIZES, beyond, check_all_failures, check_failures, promises, wider
from fixtures.capability import KnownFailure
from fixtures.errors import BadInput
from fixtures.preprocessors.original_clip import OriginalClip
from fixtures.registry import backends, preprocessors
from plugins.measures.vectors.metrics import Comparison
from suites.selftest.conftest import Run, start
from suites.selftest.planted.declarations import DRIFTS, FAR, WRONG, known, planted_backend

Finished = tuple[subprocess.CompletedProcess[str], dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> Finished:
    """One run over all backends that drift or vary; its process and its rows by backend."""
    folder, names = tmp_path_factory.mktemp("known"), ",".join(DRIFTS)
    process = start(
        folder,
        "-p",
        "suites.selftest.planted.declarations",
        "suites/embeddings/test_encoder.py",
        "--backend",
        names,
        *tiny,
        "--device",
        "cpu",
        "-k",
        "test_direction or test_values or test_length or test_repeat",
        env={"PLANT": names},
    )
    return process, {row["backend"]: row for row in json.loads((folder / "report.json").read_text())["cells"]}


@pytest.mark.parametrize(
    ("backend", "verdict", "broken"),
    [
        ("within", "expected-failure", ["E2", "E3", "E5"]),
        ("beyond", "fail", ["E2", "E3"]),
        ("second", "fail", ["E3"]),
        ("text-alone", "expected-failure", ["E2", "E3", "E5"]),
        ("varying", "expected-failure", ["E6"]),
        ("varying-more", "fail", ["E6"]),
        ("quiet", "pass", []),
        ("crashing", "fail", ["E2", "E3", "E5", "E6"]),  # a crash is never expected
    ],
)
def test_verdict(finished: Finished, backend: str, verdict: str, broken: list[str]) -> None:
    """Within its bounds it is expected; beyond them it fails; where it need not break, it may hold."""
    process, rows = finished
    assert (rows[backend]["verdict"], rows[backend]["broken_promises"]) == (verdict, broken), process.stdout[-5000:]


def test_message(finished: Finished) -> None:
    """It says what was declared and what was found, and of a bound that is kept nothing."""
    printed = finished[0].stdout
    assert re.search(r"declared at most cosine_distance 1e-06; found cosine_distance \d\S*e-05", printed)
    assert re.search(r"declared at most mean_abs 1; found max_abs \d", printed)
    assert re.search(r"declared at most difference 1e-09; found difference \d", printed)


def test_one_tower(finished: Finished) -> None:
    """The row names the tower that broke, and the other one is held to its promises."""
    process, rows = finished
    assert rows["text-alone"]["reasons"] == {"ours: in one tower": ["E2:text", "E3:text", "E5:text"]}
    assert rows["within"]["reasons"] == {"ours: planted": ["E2", "E3", "E5"]}
    assert "E2:text,E3:text,E5:text: ours: in one tower" in process.stdout


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("E22", "theirs:Backend declares a known failure of 'E22': there is no promise 'E22': did you mean 'E2'?"),
        ("E2:fp61", "'E2:fp61': 'fp61' is not one of its precisions, devices or towers: did you mean 'fp32'?"),
        ("E2:fp32:cpuu", "'E2:fp32:cpuu': 'cpuu' is not one of its precisions, devices or towers: did you mean 'cpu'?"),
        ("E2:image:text", "'E2:image:text': the key names more than one tower: declare one known failure for each"),
    ],
)
def test_keys_that_mean_nothing(key: str, sentence: str) -> None:
    """One sentence, with the nearest name."""
    with pytest.raises(BadInput) as error:
        check_failures(planted_backend("theirs", lambda x, tower: x, {key: known(1e-3)}), "theirs:Backend")
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_keys_of_preprocessors() -> None:
    """They have neither precision nor tower."""
    planted = type("Planted", (OriginalClip,), {"name": "planted", "known_failures": {"C1:text": known(1e-3)}})()
    with pytest.raises(BadInput, match="'C1:text': a preprocessor declares known failures by promise only, expected 'C1'"):
        check_failures(planted, "planted")


@pytest.mark.parametrize("key", list(WRONG))
def test_ours_are_looked_at_too(run: Run, key: str) -> None:
    """Those of this repository, before anything runs; and a tower of a promise that is about both."""
    planted = ("-p", "suites.selftest.planted.declarations", "--preprocessor", "original_clip", "--collect-only")
    result = run(*planted, "suites/embeddings", "--backend", key, env={"PLANT": key})
    assert result.returncode == 4
    assert sum(WRONG[key][1] in line for line in (result.stdout + result.stderr).splitlines()) == 1, result.stdout[-2000:]


@pytest.mark.parametrize(
    ("promise", "at_most", "sentence"),
    [
        ("E2", None, "without at_most: expected a bound on the cosine_distance of E2"),
        ("E3", None, "the mean_abs or max_abs of E3"),
        ("E1", 1.0, "with at_most = 1.0: E1 measures no size; leave at_most out"),
        ("E2", "far", "with at_most = 'far': expected a number above 0 for cosine_distance"),
        ("E2", float("nan"), "expected a number above 0"),
        ("E2", 0, "expected a number above 0"),
        ("E9", 1.0, "expected a precision such as 'fp32'"),
        ("E2", {"cosine": 1.0}, "with a bound of 'cosine', which no promise measures: did you mean 'cosine_distance'?"),
        ("E2", {"max_abs": 1.0}, "expected the cosine_distance of E2 in it"),
    ],
)
def test_bounds_that_mean_nothing(promise: str, at_most: Any, sentence: str) -> None:
    """The same for outsiders, whose classes are looked at by the same function."""
    with pytest.raises(BadInput) as error:
        check_failures(planted_backend("theirs", lambda x, tower: x, {promise: known(at_most)}), "theirs:Backend")
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_ours_are_bounded() -> None:
    """Every declaration in this repository; and each of fixtures/bounds.py's promises exists."""
    check_all_failures([*backends().values(), *preprocessors().values()])
    assert set(SIZES) <= set(promises())


def test_what_is_covered() -> None:
    """With a bound only what has a size, without one only what has none; nothing that is not finite."""
    bounded, whole = known(FAR), known()
    assert not beyond("E2", bounded, {"cosine_distance": 1e-3}) and beyond("E2", bounded, {"cosine_distance": float("nan")})
    assert beyond("E7", known(1e-3), {}) and beyond("E2", bounded, {})
    assert not beyond("E1", whole, {}) and beyond("E1", whole, {"cosine_distance": 0.1})
    assert not beyond("E9", known("fp32"), {"precision": "fp32"}) and beyond("E9", known("fp32"), {"precision": "bf16"})


def test_two_that_break_one_promise() -> None:
    """A backend and a preprocessor: the larger bound of each measure, and the preprocessor's reason."""
    both = wider("C1", KnownFailure("ours", "backend", 0.3), KnownFailure("never", "preprocessor", FAR))
    assert both.reason == "preprocessor" and both.at_most == {"cosine_distance": 0.3}


def test_the_size_of_a_comparison() -> None:
    """Its largest value, which need not be the one that uses most of its limit; infinite if one is not finite."""
    values = np.array([3.0, 2.0])
    assert Comparison("x", values, np.array([9.0, 1.0]), ["a", "b"], "size").sizes == {"size": 3.0}
    assert Comparison("x", np.array([np.nan, 2.0]), 1.0, ["a", "b"]).sizes == {"x": np.inf}
    assert not Comparison("x", np.array([]), 1.0, []).sizes


def test_the_promises_are_found_without_importing_them(run: Run) -> None:
    """The ids that keys are held to are those that `pytest --promises` prints."""
    printed = run(
        "--promises",
        "suites/drift",
        "suites/against",
        "suites/embeddings",
        "suites/preprocessing",
        "suites/retrieval",
        "suites/latency",
        "suites/serving",
        "suites/families",
    ).stdout
    assert tuple(sorted(re.findall(r"^\| ([A-Z]\d+) \|", printed, re.M))) == promises()
