"""report.json has the form of docs/report.schema.json: `start` in conftest.py holds the reports of all inner runs to it."""

import ast
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError

from fixtures import ROOT
from plugins.report.schema import TARGET, as_text, check
from suites.selftest.conftest import start

CELL = ("--backend=torch-eager", "--precision=fp32", "--preprocessor=original_clip")
TESTS = "test_direction or test_text_to_image"
Plant = Callable[[dict[str, Any], dict[str, Any]], Any]
PLANTED: dict[str, Plant] = {
    "a misspelt key of the report": lambda report, row: report.update(cels=[]),
    "a misspelt key of a row": lambda report, row: row.update(latency=row["latency_ms"]),
    "an unknown figure of drift": lambda report, row: row["drift"]["text"].update(p999=0.0),
    "an unknown tower": lambda report, row: row["drift"].update(texts=row["drift"]["text"]),
    "an unknown recall": lambda report, row: row["retrieval"]["text_to_image"].update(r2=50.0),
    "an unknown score of queries with one label": lambda report, row: row["retrieval"]["text_to_image"]["1"].update(lost=0),
    "a package's version as a number": lambda report, row: report["environment"]["packages"].update(torch=2.11),
    "a verdict that there is not": lambda report, row: row.update(verdict="passed"),
    "a null": lambda report, row: row.update(load_s=None),
    "no reason": lambda report, row: row.pop("reason"),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, few: list[str]) -> dict[str, Any]:
    """Of a run that measures drift and recall, with a latency added."""
    folder = tmp_path_factory.mktemp("form")
    start(folder, "suites/embeddings", "suites/retrieval", *CELL, "-k", TESTS, *few)
    found: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    found["cells"][0]["latency_ms"] = {}
    return found


def test_the_committed_schema_is_that_of_the_types() -> None:
    """`python -m plugins.report.schema` writes it anew."""
    assert TARGET.read_text(encoding="utf-8") == as_text()


@pytest.mark.parametrize("what", PLANTED)
def test_what_has_another_form_is_refused(report: dict[str, Any], what: str) -> None:
    """Without it, the same report is right."""
    check(json.dumps(report))
    wrong = deepcopy(report)
    PLANTED[what](wrong, wrong["cells"][0])
    with pytest.raises(ValidationError):
        check(json.dumps(wrong))


def recorded() -> Iterator[str]:
    """The path of every call of `record`, with * for what it fills in: "drift.text", "latency_ms.*"."""
    for file in (*(ROOT / "suites").glob("[!s]*/*.py"), *(ROOT / "plugins").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "record":
                paths = [node.args[0].body, node.args[0].orelse] if isinstance(node.args[0], ast.IfExp) else node.args[:1]
                for path in paths:
                    parts = path.values if isinstance(path, ast.JoinedStr) else [path]
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in parts)


def knows(path: str, schema: dict[str, Any], form: dict[str, Any]) -> bool:
    """True where a row of that form may hold something at the path."""
    form = schema["$defs"][form["$ref"].split("/")[-1]] if "$ref" in form else form
    key, _, rest = path.partition(".")
    if not key:
        return True
    names = form.get("propertyNames", {}).get("enum", ["*"] if "additionalProperties" in form else [])
    inner = form.get("properties") or dict.fromkeys(names, form.get("additionalProperties", {}))
    return any(knows(rest, schema, part) for name, part in inner.items() if "*" in (key, name) or name == key)


def test_the_form_knows_all_that_is_recorded() -> None:
    """What only runs elsewhere measure, on a GPU, is no key that the schema has not."""
    schema = json.loads(as_text())
    row, paths = {"$ref": "#/$defs/Row"}, sorted(set(recorded()))
    assert {"drift.text", "drift.image_encoder", "latency_device_only_ms.*", "ranking.*"} <= {*paths} and len(paths) > 25
    assert [path for path in paths if not knows(path, schema, row)] == []
    assert not knows("latency_msec.*", schema, row) and not knows("drift.txt", schema, row)
