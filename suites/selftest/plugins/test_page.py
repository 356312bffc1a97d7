"""The report as a page: what it says, without a browser."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fixtures.errors import BadInput
from plugins.report import difference
from plugins.report.html import needs
from plugins.report.html.answer import answer, grouped
from plugins.report.html.charts import charts
from plugins.report.html.heat import heat, percent
from plugins.report.html.page import page
from plugins.report.html.pictures import worst
from suites.selftest.conftest import Run
from suites.selftest.planted.reports import HOSTILE, failed, report, row, skipped


def embedded(text: str) -> dict[str, dict[str, object]]:
    """The cells and charts that the page's script reads."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    read: dict[str, dict[str, object]] = json.loads(found[1])
    return read


def test_the_answer_is_first() -> None:
    """How many encoders may stand beside the index, and why the others may not; skipped ones did not run."""
    declared: dict[str, Any] = {
        "verdict": "expected-failure",
        "reason": "never: no fp16",
        "reasons": {"never: no fp16": ["E9"]},
    }
    rows = [row("a"), failed("E2 broken: 629 of 663 images"), skipped(), row("d", broken_promises=["E9"], **declared)]
    found = answer(rows)
    assert found.sentence == "2 of 3 encoders may stand beside your index."  # E9 is about how products are made
    assert found.bad == {"b int8": "E2 broken: 629 of 663 images"}
    drifts = row("d", broken_promises=["C1"], **declared)
    assert answer([drifts]).bad == {"d fp32": "declares to break C1: never: no fp16"}
    assert answer([skipped()]).sentence == "No encoder ran."
    without = {key: value for key, value in row("a").items() if key != "class"}
    assert answer([without]).sentence == "1 of 1 encoder keep every promise that was judged."


def test_an_encoder_is_left_out_for_its_own_reason() -> None:
    """A class that was not judged is none to rely on; a declared failure elsewhere is not why a class is bad."""
    slow: dict[str, Any] = {"verdict": "expected-failure", "reason": "upstream: slow", "broken_promises": ["L3"]}
    without = {key: value for key, value in row("c").items() if key != "class"}
    rows = [row("a"), row("b", **slow) | {"class": "unjudged"}, without]
    found = answer(rows)
    assert (found.sentence, found.head) == (
        "1 of 3 encoders may stand beside your index.",
        "These may not, or were not judged:",
    )
    assert found.bad == {
        "b fp32": "class unjudged: too few images or texts to see a loss",
        "c fp32": "its class was not measured",
    }
    assert answer([{**without, "verdict": "fail", "reason": "E2 broken"}]).head == "These do not:"


def test_the_map_has_a_square_a_cell() -> None:
    """Its colour follows the share of the budget; a cell that is not there has none."""
    columns, lines = heat([row("a", share=0.1), row("a", preprocessor="cv", share=3.0), failed(), skipped()])
    assert columns == ["original_clip", "cv"] and [line.name for line in lines] == ["a fp32", "b int8", "c fp16"]
    first, second = lines[0].squares
    assert first and second and (first.style, second.style) == ("pass step0", "pass step4")
    assert second.text == "3.0× ." and lines[1].squares[1] is None
    assert [percent(share) for share in (None, 0.1, 1.5, 3.0, 86, 2e4)] == ["", "10%", "150%", "3.0×", "86×", "2e+04×"]


def test_a_level_that_changed_is_marked() -> None:
    """The history's point from which the ratio is another."""
    _, spec = charts([row("a")])["history"]
    runs = [value for value in spec["data"]["values"] if value["tower"] == "image"]
    assert [value["step"] for value in runs] == [False] * 6 + [True] + [False] * 5
    assert charts([skipped()]) == {}


def test_a_picture_has_something_to_say() -> None:
    """An image is shown for a drift or for an answer that differs, not for an answer that is golden's own."""
    same, other = ({"image": name, "golden": "a dog", "cell": name} for name in ("a dog", "a cat"))
    rows = [row("a", worst_answer=same), row("b", worst_answer=other)]
    assert list(worst(rows)) == ["scene_000.jpg", "a cat"]


def test_reasons_are_grouped_without_their_own_cell() -> None:
    """The same reason of many encoders is one line."""
    rows = [skipped("c"), skipped("d")]
    for one in rows:
        one["reason"] = f"m-{one['backend']}-fp16-cpu: no driver"
    assert grouped([(one["reason"], one) for one in rows]) == [("no driver", [one["id"] for one in rows])]


def test_nothing_in_a_report_is_markup() -> None:
    """A reason may hold anything, also within the script's data; figures that are not finite are text there."""
    text = page(report(failed(), row("a", load_s=float("nan"))))
    assert HOSTILE not in text and "&lt;/script&gt;&lt;b onclick" in text
    cells = embedded(text)["cells"]
    assert cells["m-b-int8-original_clip-cpu"]["reason"] == HOSTILE and cells["m-a-fp32-original_clip-cpu"]["load_s"] == "nan"  # type: ignore[index]


def test_a_cell_is_repeated_with_its_own_model() -> None:
    """The command has the run's model and data, however they were typed, and the cell's own options."""
    found = report(row("a"))
    found["run"]["command"] = "pytest --model ViT-B-32 --pretrained=random:0 --backend b -v"
    again = embedded(page(found))["cells"]["m-a-fp32-original_clip-cpu"]["again"]  # type: ignore[index]
    own = "--backend=a --precision=fp32 --preprocessor=original_clip --device=cpu"
    assert again == f"pytest --model=ViT-B-32 --pretrained=random:0 {own}"
    found["run"]["command"] = "pytest '--dataset=/my data' --golden '/my golden'"
    again = embedded(page(found))["cells"]["m-a-fp32-original_clip-cpu"]["again"]  # type: ignore[index]
    assert again == f"pytest '--dataset=/my data' '--golden=/my golden' {own}"
    found["run"]["command"] = "pytest -k it's --model=ViT-B-32"  # as earlier versions wrote it
    assert embedded(page(found))["cells"]["m-a-fp32-original_clip-cpu"]["again"] == f"pytest --model=ViT-B-32 {own}"  # type: ignore[index]


def test_a_thousand_cells_fit(tmp_path: Path) -> None:
    """5 MB are enough for them, and every cell has its line."""
    rows = [row(f"backend{i}", preprocessor=f"p{j}") for i in range(100) for j in range(10)]
    text = page(report(*rows))
    assert len(text.encode()) < 5e6 and text.count('<tr id="m-backend') == 1000
    assert not re.search(r'(src|href)="?https?:', text)


def test_two_reports(tmp_path: Path) -> None:
    """`diff --report-html` writes the later one, which begins with what changed."""
    paths = [tmp_path / name for name in ("a.json", "b.json")]
    for path, found in zip(paths, (report(row("b", "int8")), report(failed("E2 broken"))), strict=True):
        path.write_text(json.dumps(found))
    assert difference.main([*map(str, paths), f"--report-html={tmp_path}/c.html"], write=lambda _: None) == 1
    text = (tmp_path / "c.html").read_text()
    assert text.index("What changed") < text.index("new failures (1)") < text.index("The matrix")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, run: Run, few: list[str]) -> None:
    """Before the run takes its time; so is an earlier report that is none."""
    monkeypatch.setattr(needs, "PACKAGES", {"no_such_module": "no-such-package"})
    with pytest.raises(BadInput, match="pip install no-such-package"):
        needs.check()
    monkeypatch.undo()
    done = run("--report-html=x.html", "--report-since=pyproject.toml", *few)
    assert done.returncode == 4 and "pyproject.toml is no JSON: expected a report.json" in done.stderr


def test_a_run_writes_its_page(run: Run, few: list[str], tmp_path: Path) -> None:
    """With the picture of the worst image, both answers if they differ, and changes since the report that it overwrites."""
    target, earlier = tmp_path / "report.html", tmp_path / "report.json"
    earlier.write_text(json.dumps(report(row("gone"))))
    picked = ("--backend=onnxruntime", "--precision=fp32", "--preprocessor=opencv_based", "-k", "test_class or test_end_to_end")
    since = (f"--report-html={target}", f"--report-since={earlier}")
    done = run(*picked, *since, *few, "suites/retrieval", "suites/embeddings/test_cell.py")
    text = target.read_text()
    assert "only before (1)" in text and "only after (1)" in text
    assert f"page: {target}" in done.stdout and "data:image/jpeg;base64," in text
    found = json.loads(earlier.read_text())["cells"][0]["worst_answer"]
    assert found["image"] in text and 0 <= found["changed"] <= found["n"]
    assert ("golden answers" in text) == (found["golden"] != found["cell"])
