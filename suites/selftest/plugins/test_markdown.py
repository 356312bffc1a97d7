"""The report as Markdown: what failed comes first, it fits a comment, and GitHub gets a summary and annotations."""

from pathlib import Path
from typing import Any

from plugins.report.markdown import LONGEST, annotation, page
from suites.selftest.conftest import Run


def row(name: str, verdict: str, *broken: str, reason: str = "") -> Any:
    """A row without measures."""
    return {"id": name, "verdict": verdict, "broken_promises": [*broken], "reason": reason}


def test_failures_come_first() -> None:
    """One sentence, the failing cells, and all cells folded below."""
    text = page([row("a", "pass"), row("b", "fail", "E2", "E3", reason="drift | far"), row("c", "skipped", reason="no driver")])
    assert "**1 of 2 cells fail** (1 fail, 1 pass, 1 skipped)." in text
    assert "| `b` | E2, E3 | drift \\| far |" in text and text.index("`b`") < text.index("<details>") < text.index(
        "| a | pass |"
    )
    assert "**All 1 cells that ran keep their promises**" in page([row("a", "pass")])
    assert "**No cell ran** (1 skipped)." in page([row("a", "skipped", reason="no driver")])


def test_it_fits_a_comment() -> None:
    """Each table is cut, and says by how much."""
    text = page([row(f"cell-{i:04d}", "pass") for i in range(3000)])
    assert len(text) <= LONGEST and "more cells are in report.json." in text and text.rstrip().endswith("</details>")
    text = page([row(f"cell-{i:04d}", "fail", "E2", reason="far " * 70) for i in range(3000)])
    assert len(text) <= LONGEST and text.count("more cells are in report.json.") == 2 and text.rstrip().endswith("</details>")


def test_annotations_are_one_line() -> None:
    """As GitHub's workflow commands want them."""
    assert annotation("E2 broken", "a\nb: 5 %") == "::error title=E2 broken::a%0Ab: 5 %25"
    assert annotation("test_x[a:b,c]", "d") == "::error title=test_x[a%3Ab%2Cc]::d"


def test_on_github(run: Run, few: list[str], tmp_path: Path) -> None:
    """The file that was asked for, the job's summary, and an annotation for each broken promise; nothing of that elsewhere."""
    planted = ("-p", "suites.studies.faults.plant", "--backend=24.scaled-output.0", "suites/embeddings/test_encoder.py")
    env = {"PLANT": "24.scaled-output.0", "FOUND": f"{tmp_path}/found.json"}
    target, summary = tmp_path / "report.md", tmp_path / "summary.md"
    summary.write_text("before\n")
    on_github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    done = run(*planted, "-k", "test_length and image", f"--report-md={target}", *few, env={**env, **on_github})
    assert "**1 of 1 cells fail**" in target.read_text() and summary.read_text() == "before\n" + target.read_text()
    assert "likely cause: every input is wrong, one by one too" in done.stdout
    assert "::error title=E5 broken::E5 broken: a raw embedding is as long as golden's" in done.stdout
    assert "::error" not in run(*planted, "-k", "test_length and image", *few, env={**env, "GITHUB_ACTIONS": ""}).stdout
