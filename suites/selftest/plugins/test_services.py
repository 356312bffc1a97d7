"""Services of documents: a right one passes, each other one breaks the promise that is about it, and the cause is named."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from suites.selftest.conftest import Run, start
from suites.selftest.one_sentence import failures_of

PLANTED = "suites.selftest.planted.services"
KINDS = ("Right", "Unit", "Squashes", "BlueFirst", "Cuts", "Prompts", "Mixes", "Twins", "Swallows", "Forgets", "Shortens")
BROKEN: dict[str, set[str]] = {
    "right": set(),
    "right-unit": set(),
    "squashes": {"S2"},
    "bluefirst": {"S2"},
    "cuts": {"S3"},
    "prompts": {"S3"},
    "mixes": {"S6"},
    "twins": {"S5"},
    "swallows": {"S7"},
    "forgets": {"S9"},
    "shortens": {"S9"},
}
PIPELINES = {"fastembed": ["S4"], "sentence-transformers": ["S2", "S4"], "transformers-pipeline": []}  # and what they declare
BRIEF = ("-k", "not test_load and not test_many")  # these take longest, and the planted ones are judged by them
WITH_IT = {"S4", "S8"}  # wrong vectors have other lengths, and may cost recall


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> SimpleNamespace:
    """One run of all of them."""
    folder = tmp_path_factory.mktemp("services")
    # These take longest, and are about one of them.
    loaded = ("-k", "not test_load and not test_many or mixes-fp32 or right-fp32 or test_many and (forgets or shortens)")
    done = start(folder, *(f"--backend={PLANTED}:{kind}Service" for kind in KINDS), *tiny, *loaded)
    rows = json.loads((folder / "report.json").read_text())["cells"]
    return SimpleNamespace(said=done.stdout, rows={row["backend"]: row for row in rows})


@pytest.mark.parametrize("name", BROKEN)
def test_each_breaks_its_promise(planted: SimpleNamespace, name: str) -> None:
    """And no other but those that come with wrong vectors."""
    broken = {*planted.rows[name]["broken_promises"]}
    assert broken - WITH_IT == BROKEN[name], planted.said[-5000:]
    assert BROKEN[name] & {"S2", "S3"} or not broken & WITH_IT


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("squashes", "it prepares images squashed to a square (that explains 100%"),
        ("bluefirst", "it prepares images with blue and red exchanged (that explains 100%"),
        ("cuts", "it prepares texts cut to 16 tokens (that explains 100%"),
        ("prompts", "it prepares texts as 'a photo of a ...' (that explains 100%"),
        ("shortens", "a request of 600 texts: shape (200, 64) for 600 inputs (text)"),
        ("swallows", "an empty file in a request of 1 was answered with a vector"),
    ],
)
def test_the_cause_is_named(planted: SimpleNamespace, name: str, cause: str) -> None:
    """In its own failure."""
    own = failures_of(planted.said, f"tiny:clip@random:0-{name}-fp32-service")
    assert any(cause in part for part in own), own


def test_only_services_run(planted: SimpleNamespace) -> None:
    """A service has no cells of arrays, and needs no --device."""
    assert {*planted.rows} == {*BROKEN} and all("preprocessor" not in row for row in planted.rows.values())


def test_the_ready_made_pipelines(run: Run, few: list[str], tmp_path: Path) -> None:
    """They keep every promise but those that they declare, with their own tokeniser and image processor."""
    done = run(*(f"--backend={name}" for name in PIPELINES), *few, *BRIEF)
    rows = json.loads((tmp_path / "report.json").read_text())["cells"]
    found = {row["backend"]: [*row["broken_promises"]] for row in rows}
    assert done.returncode == 0 and found == PIPELINES, done.stdout[-3000:]


def test_an_unknown_name(run: Run) -> None:
    """Names of services are known where backends' are."""
    done = run("--backend=openai-embedings", "--collect-only")
    assert done.returncode == 4 and "did you mean 'openai-embeddings'?" in done.stdout + done.stderr
