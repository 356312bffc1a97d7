"""The study beside the peers: it asks all tools for equal calls, reads what each writes, and says where two figures differ."""

import copy
import io
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures import ROOT
from fixtures.capability import TOWERS
from fixtures.storage.lines import Lines
from suites.studies.peers import __main__ as program
from suites.studies.peers import page, tools
from suites.studies.peers.agreement import Beside, Rounds
from suites.studies.peers.breakdown import STEPS
from suites.studies.peers.tools import CELLS, OURS, TOOLS, WARM_UPS, Asked, Figures, Found, Tool, measure

ASKED: Asked = {cell: {"image": 3, "text": 4} for cell in CELLS}
SECONDS = {"image": [0.004, 0.002, 0.009], "text": [0.001, 0.003, 0.002, 0.004]}  # of the calls that a peer played
FIGURES: Any = {"image": {"n": 3, "p50": 4.0, "fastest": 2.0}, "text": {"n": 4, "p50": 2.5, "fastest": 1.0}}
NAMED = {tool.name: tool for tool in TOOLS}


def written(path: Path, content: object) -> None:
    """As JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def play(tool: str, place: Path) -> str:
    """Write what the tool would, and return the cell."""
    ms = {tower: {"n": f["n"], "p50": f["p50"], "min": f["fastest"], "max": 9.0} for tower, f in FIGURES.items()}
    if tool == "clip-conformance":
        written(place / "report.json", {"cells": [{"backend": "torch-eager", "latency_ms": {**ms, "document": {}}}]})
        return "torch-eager"
    if tool == "pytest-benchmark":
        stats = {t: {"rounds": f["n"], "median": f["p50"] / 1e3, "min": f["fastest"] / 1e3} for t, f in FIGURES.items()}
        rows = [{"name": f"test_torch_eager[{t}]", "params": {"tower": t}, "stats": stats[t]} for t in TOWERS]
        written(place / "found.json", {"benchmarks": rows})
        return "torch-eager"
    for number, tower in enumerate(TOWERS):
        runtimes = [{"outputs": {}, "runtime": seconds} for seconds in SECONDS[tower]]
        written(place / f"{tower}.json", {"lst": [["onnxrt-runner-N0", runtimes]]})
        written(place / str(number) / "benchmark_report.json", {"forward": {"latency": {"values": SECONDS[tower]}}})
    return "onnxruntime" if tool == "Polygraphy" else "transformers"


@pytest.mark.parametrize("tool", NAMED)
def test_what_a_tool_writes_is_read(tmp_path: Path, tool: str) -> None:
    """Calls, median and fastest, in milliseconds."""
    cell = play(tool, tmp_path)
    found = NAMED[tool].found([cell], tmp_path)
    assert {tower: pytest.approx(FIGURES[tower]) for tower in TOWERS} == found[cell]


def test_all_are_asked_for_equal_calls(tmp_path: Path) -> None:
    """In whichever form a peer is told of them."""
    image, text = NAMED["Polygraphy"].commands(["onnxruntime"], ASKED, tmp_path, tmp_path)
    for command, calls in ((image, "3"), (text, "4")):
        assert command[command.index("--iterations") + 1] == calls
        assert command[command.index("--warm-up") + 1] == str(WARM_UPS)
    NAMED["optimum-benchmark"].commands(["transformers"], ASKED, tmp_path, tmp_path)
    shared = json.loads((tmp_path / "peers.yaml").read_text())
    assert shared["scenario"]["warmup_runs"] == WARM_UPS
    own = [json.loads((tmp_path / "tower" / f"{tower}.yaml").read_text().partition("\n")[2]) for tower in TOWERS]
    assert [each["scenario"]["iterations"] for each in own] == [3, 4]
    plain = json.loads(NAMED["pytest-benchmark"].environment(ASKED, tmp_path)["PEERS_ASKED"])
    assert plain == {"warm_ups": WARM_UPS, **ASKED}


def test_every_cell_has_a_peer_or_a_reason() -> None:
    """A reason names a cell, and no cell is without any peer."""
    peers = [tool for tool in TOOLS if tool is not OURS]
    assert all(set(tool.cannot) <= set(CELLS) and all(tool.cannot.values()) for tool in peers)
    assert all(any(cell not in tool.cannot for tool in peers) for cell in CELLS)


class Played(Tool):
    """Runs a program that is given."""

    name = "played"

    def __init__(self, program: str, calls: int = 3) -> None:
        self.program, self.calls = program, calls

    def commands(self, cells: Sequence[str], asked: Asked, models: Path, place: Path) -> list[list[str]]:
        return [[sys.executable, "-c", self.program]] * 2

    def found(self, cells: Sequence[str], place: Path) -> Found:
        image: Figures = {"n": self.calls, "p50": 4.0, "fastest": 2.0}
        return {cell: {**FIGURES, "image": image} for cell in cells}


def test_whole_commands_are_timed(tmp_path: Path) -> None:
    """All of them, from the start of a process to its end."""
    found = measure(Played("import time; time.sleep(0.1)"), ["onnxruntime"], ASKED, tmp_path, tmp_path / "place")
    assert found["commands"] == 2 and found["seconds"] > max(0.2, found["processor_s"]) and found["processor_s"] > 0


def test_other_calls_than_asked_for(tmp_path: Path) -> None:
    """Seconds would not be comparable."""
    with pytest.raises(RuntimeError, match=r"played timed .*5.*, asked for"):
        measure(Played("", calls=5), ["onnxruntime"], ASKED, tmp_path, tmp_path / "place")


def test_a_command_that_fails(tmp_path: Path) -> None:
    """With what it said."""
    with pytest.raises(RuntimeError, match=r"ended with 3:\nno such model"):
        measure(Played("print('no such model'); exit(3)"), ["onnxruntime"], ASKED, tmp_path, tmp_path / "place")


def test_the_plain_file_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a graph that returns its input, under this environment's pytest-benchmark."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    for tower in TOWERS:
        values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 2]) for name in ("input", "features")]
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("Identity", ["input"], ["features"])], "g", *([v] for v in values)
        )
        target = tmp_path / "models" / "onnx" / f"{tower}.onnx"
        target.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10), target)
        (tmp_path / "models" / "inputs").mkdir(exist_ok=True)
        np.save(tmp_path / "models" / "inputs" / f"{tower}.npy", np.ones((1, 2), np.float32))
    monkeypatch.setattr(tools, "PEERS", Path(sys.executable).parent)
    found = measure(NAMED["pytest-benchmark"], ["onnxruntime"], ASKED, tmp_path / "models", tmp_path / "place")
    assert found["found"]["onnxruntime"]["text"]["n"] == 4 and found["found"]["onnxruntime"]["image"]["p50"] > 0


@pytest.mark.parametrize(
    ("peer", "ours", "agree"),
    [
        ([2.0, 2.1, 2.2], [2.15, 2.2, 2.25], True),  # 5 % apart, 10 % of noise
        ([2.0, 2.01, 2.02], [2.2, 2.21, 2.22], False),  # 10 % apart, 1 % of noise
        ([2.2, 2.21, 2.22], [2.0, 2.01, 2.02], False),
        ([2.0, 2.01, 2.02], [1.5, 2.21, 2.22], True),  # ours is noisy
    ],
)
def test_agreement(peer: list[float], ours: list[float], agree: bool) -> None:
    """Within the noise of the noisier one, whichever is greater."""
    assert Beside(Rounds.of(peer), Rounds.of(ours)).agree is agree


def played() -> dict[str, Any]:
    """Three rounds in which all tools find the same, within 5 %; ours takes 9 s a cell, a peer 12."""
    rows: list[dict[str, Any]] = []
    for number, factor in enumerate((1.0, 1.02, 1.05)):
        figures = {tower: {**own, "p50": own["p50"] * factor} for tower, own in FIGURES.items()}
        for tool in TOOLS:
            head = {"round": number, "tool": tool.name, "commands": 1, "seconds": (9 if tool is OURS else 12) * factor}
            head |= {"processor_s": 5.0, "others_cores": 0.5}
            cells = [cell for cell in CELLS if cell not in tool.cannot]
            rows += [{**head, "cells": [cell], "found": {cell: copy.deepcopy(figures)}} for cell in cells]
    return {
        "command": "make peers",
        "date": "2026-11-30T00:00:00+00:00",
        "commit": "abc",
        "environment": {"cpu": "a processor", "cores": 2},
        "versions": {tool.name.lower(): "1.0" for tool in TOOLS} | {"transformers": "4.0"},
        "warm_ups": WARM_UPS,
        "measured": rows,
        "breakdown": {cell: dict.fromkeys(STEPS, 1.0) for cell in CELLS},
    }


def altered(found: Mapping[str, Any], tool: str, cell: str, **factors: float) -> dict[str, Any]:
    """The same, but for one tool's cell: its seconds, and its figures of the image tower."""
    other = copy.deepcopy(dict(found))
    for row in other["measured"]:
        if (row["tool"], row["cells"]) == (tool, [cell]):
            row["seconds"] *= factors.get("seconds", 1.0)
            for name in ("p50", "fastest"):
                row["found"][cell]["image"][name] *= factors.get(name, 1.0)
    return other


def test_the_page() -> None:
    """Where all agree it says so, with every peer's reasons."""
    text = page.markdown(played())
    assert "20 of 20 figures agree" in text and "**no**" not in text
    assert "within a noise of 0% to 5%; the peer's is the lower one in 0." in text
    assert text.count("ours is faster") == 5 and "slower" not in text
    assert all(reason in text for tool in TOOLS for reason in tool.cannot.values())


def test_the_evidence_is_as_measured() -> None:
    """The page says what the figures beside it say."""
    found = json.loads(program.TARGET.read_text(encoding="utf-8"))
    assert program.TARGET.with_suffix(".md").read_text(encoding="utf-8") == page.markdown(found)


def test_a_disagreement_is_seen() -> None:
    """Planted in one figure of one tool, it is the only one; a difference within the noise is none."""
    differs = page.markdown(altered(played(), "Polygraphy", "onnxruntime", p50=1.2))
    (line,) = [line for line in differs.splitlines() if "**no**" in line]
    assert "19 of 20 figures agree" in differs
    assert line.startswith("| onnxruntime | image | p50 | Polygraphy |") and "+20%" in line
    assert "20 of 20" in page.markdown(altered(played(), "Polygraphy", "onnxruntime", p50=1.04))


def test_a_slower_ours_is_said() -> None:
    """Beyond the noise; within it neither is said to be faster."""
    text = page.markdown(altered(played(), "pytest-benchmark", "onnxruntime", seconds=0.25))
    assert text.count("0.33: ours is **slower**") == 1
    assert text.count("ours is faster") == 4
    assert "within the noise" in page.markdown(altered(played(), "pytest-benchmark", "onnxruntime", seconds=0.75))


def test_an_interrupted_measurement_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: io.StringIO) -> None:
    """What is kept of a round is not measured again, and the round is whole."""
    asked: list[tuple[int, list[str]]] = []

    def measured(number: int, cells: Sequence[str], place: Path) -> list[dict[str, Any]]:
        asked.append((number, [*cells]))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return [{"round": number, "cells": [*cells]}]

    monkeypatch.setattr(program, "_side_by_side", measured)
    kept = Lines(tmp_path / "kept.jsonl")
    with pytest.raises(KeyboardInterrupt):
        [*program._round(1, 2, tmp_path, kept)]
    found = [*program._round(1, 2, tmp_path, kept)]
    assert [row["cells"] for row in found] == [[cell] for cell in program.turned(CELLS, 1)] + [[*CELLS]]
    assert len(asked) == 5 and asked[2] == asked[3]
    assert said.getvalue().count("done") == 4


def test_tools_take_turns() -> None:
    """Each is the first in a round."""
    assert [program.turned("abc", n) for n in range(4)] == [[*"abc"], [*"bca"], [*"cab"], [*"abc"]]


def test_without_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, and nothing is measured."""
    monkeypatch.setattr(program, "PEERS", tmp_path / "bin")
    assert program.main([]) == 4
    assert "make peers sets it up" in capsys.readouterr().err


@pytest.mark.long
def test_steps_of_a_run(tiny: list[str], tmp_path: Path) -> None:
    """Each is seen, and together they are the run's seconds."""
    chosen = ["--backend=torch-eager", "--precision=fp32", "--device=cpu", f"--report={tmp_path}/report.json", *tiny]
    command = [sys.executable, "-m", "suites.studies.peers.breakdown", str(tmp_path / "steps.json")]
    started = time.perf_counter()
    tools.run([*command, "suites/latency/test_latency.py", "-k", "test_encode", *chosen], ROOT, os.environ)
    took = time.perf_counter() - started
    steps = json.loads((tmp_path / "steps.json").read_text())
    assert [*steps] == [*STEPS] and min(steps.values()) > 0
    assert took / 2 < sum(steps.values()) < took + 1  # a process takes a while to end
