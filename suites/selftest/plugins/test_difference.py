"""`clip-conformance diff`: two reports side by side, the new failures first."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from plugins.report.difference import changes, main

ROW: dict[str, Any] = {
    "id": "m-a-fp32-cpu",
    "verdict": "pass",
    "broken_promises": [],
    "class": "identical",
    "drift": {"image": {"share_of_tolerance": 0.2}, "text": {"share_of_tolerance": 0.02}},
    "latency_ratio": {"image": {"ratio": 0.5, "low": 0.49, "high": 0.51}},
}
BEFORE: dict[str, Any] = {"schema": 1, "cells": [ROW, {**ROW, "id": "m-b-fp32-cpu"}], "environment": {"python": {"v": "3.11"}}}


def after(**changed: Any) -> dict[str, Any]:
    """The same report with other values in its first row."""
    found = deepcopy(BEFORE)
    found["cells"][0] |= changed
    return found


@pytest.mark.parametrize(
    ("changed", "heading", "line"),
    [
        ({"verdict": "fail", "broken_promises": ["E2", "E3"]}, "new failures", ("broken", "pass", "E2, E3")),
        ({"verdict": "expected-failure"}, "verdict", ("verdict", "pass", "expected-failure")),
        ({"class": "re-index"}, "class", ("class", "identical", "re-index")),
        ({"drift": {"image": {"share_of_tolerance": 0.5}}}, "drift", ("image drift, of what is allowed", "20%", "50%")),
        (
            {"latency_ratio": {"image": {"ratio": 0.6, "low": 0.59, "high": 0.61}}},
            "latency",
            ("image time to the reference's", "0.500", "0.600 (+20%)"),
        ),
    ],
)
def test_a_change_has_its_heading(changed: dict[str, Any], heading: str, line: tuple[str, ...]) -> None:
    """And no other one."""
    assert changes(BEFORE, after(**changed)) == {heading: [(ROW["id"], *line)]}


@pytest.mark.parametrize(
    ("verdict", "then", "now", "found"),
    [
        ("fail", ["L3"], ["E2", "L3"], {"new failures": [(ROW["id"], "broken", "L3", "E2, L3")]}),
        ("fail", ["E2", "L3"], ["L3"], {"verdict": [(ROW["id"], "broken", "E2, L3", "L3")]}),
        ("expected-failure", ["E2"], ["E3"], {"verdict": [(ROW["id"], "broken", "E2", "E3")]}),
        ("fail", ["E2"], ["E2"], {}),
    ],
)
def test_another_promise_breaks(verdict: str, then: list[str], now: list[str], found: dict[str, Any]) -> None:
    """With the same verdict."""
    reports = [after(verdict=verdict, broken_promises=broken) for broken in (then, now)]
    assert changes(*reports) == found


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"drift": {"image": {"share_of_tolerance": 0.21}, "text": {"share_of_tolerance": 0.06}}},
        {"latency_ratio": {"image": {"ratio": 0.56, "low": 0.4, "high": 0.7}}},
    ],
)
def test_noise_is_no_change(changed: dict[str, Any]) -> None:
    """Round-off on another processor, and a ratio whose interval holds the old one."""
    assert changes(BEFORE, after(**changed)) == {}


def test_cells_and_environments_that_differ() -> None:
    """They are named."""
    other = {"schema": 1, "cells": [ROW, {**ROW, "id": "m-c-fp32-cpu"}], "environment": {"python": {"v": "3.12"}, "gpu": "x"}}
    assert changes(BEFORE, other) == {
        "only before": [("m-b-fp32-cpu", "cell", "pass", "-")],
        "only after": [("m-c-fp32-cpu", "cell", "-", "pass")],
        "environment": [("gpu", "", "-", "x"), ("python v", "", "3.11", "3.12")],
    }


def test_a_new_cell_that_fails(tmp_path: Path) -> None:
    """It is a new failure, and the command says so by its exit code."""
    row = {**ROW, "id": "m-c-fp32-cpu", "verdict": "fail", "broken_promises": ["E2"]}
    then, now = {**BEFORE, "cells": [ROW]}, {**BEFORE, "cells": [ROW, row]}
    assert changes(then, now) == {
        "new failures": [("m-c-fp32-cpu", "broken", "-", "E2")],
        "only after": [("m-c-fp32-cpu", "cell", "-", "fail")],
    }
    for name, report in (("a.json", then), ("b.json", now)):
        (tmp_path / name).write_text(json.dumps(report))
    assert main([str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 1


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its exit code says whether something fails that did not; a file that is no report is one sentence."""
    paths = [tmp_path / name for name in ("a.json", "b.json", "c.json")]
    for path, found in zip(paths, (BEFORE, after(verdict="fail"), {"cells": []}), strict=True):
        path.write_text(json.dumps(found))
    a, b, c = map(str, paths)
    assert main([a, b]) == 1 and capsys.readouterr().out.startswith("new failures (1)\n  m-a-fp32-cpu  broken  pass -> fail\n")
    assert main([b, a]) == 0 and "no longer failing (1)" in capsys.readouterr().out
    assert main([a, a]) == 0 and capsys.readouterr().out == "nothing changed\n"
    for other in (c, f"{tmp_path}/none.json"):
        assert main([a, other]) == 4 and "expected" in capsys.readouterr().err
