"""The study of precision policies: one count and one arithmetic for all tools' files, and who is as good as whom."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fixtures.capability import Tower
from fixtures.storage.lines import Lines
from suites.selftest.patience import HANG_S
from suites.studies.policies import __main__ as program
from suites.studies.policies import mixed, nodes, page, rounding, runs, tools
from suites.studies.policies.beside import answer, beats
from suites.studies.policies.runs import PLAIN

WIDTH = 40  # of a matrix that is large enough to be given to the session beside the graph
KEPT = ("norm", "product")


def graph() -> Any:
    """x -> LayerNormalization -> MatMul -> Reshape -> Softmax -> Add(x), all in fp32."""
    from onnx import TensorProto, helper, numpy_helper

    drawn = np.random.default_rng(0)
    made = [
        helper.make_node("LayerNormalization", ["x", "scale"], ["normed"], name="norm"),
        helper.make_node("MatMul", ["normed", "matrix"], ["multiplied"], name="product"),
        helper.make_node("Reshape", ["multiplied", "shape"], ["moved"], name="move"),
        helper.make_node("Softmax", ["moved"], ["shares"], name="softmax"),
        helper.make_node("Add", ["shares", "x"], ["features"], name="sum"),
    ]
    weights = [
        numpy_helper.from_array(drawn.normal(size=WIDTH).astype(np.float32), "scale"),
        numpy_helper.from_array(drawn.normal(size=(WIDTH, WIDTH)).astype(np.float32), "matrix"),
        numpy_helper.from_array(np.array([-1, WIDTH]), "shape"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", WIDTH]) for name in ("x", "features")]
    whole = helper.make_graph(made, "graph", ends[:1], ends[1:], weights)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def converted(kept: tuple[str, ...] = ()) -> Any:
    """As our onnxruntime cells convert it."""
    from fixtures.backends._onnx_kept import fp16_but

    return fp16_but(kept, graph())


@pytest.fixture
def batch() -> Any:
    """Inputs [3, WIDTH]."""
    return np.random.default_rng(1).normal(size=(3, WIDTH)).astype(np.float32)


def test_nodes_are_counted_by_the_type_of_their_result() -> None:
    """A Reshape computes nothing, and casts are counted apart."""
    assert nodes.counted(graph()) == {
        "fp32": {"Add": 1, "LayerNormalization": 1, "MatMul": 1, "Softmax": 1},
        "fp16": 0,
        "casts": 0,
    }
    low = nodes.counted(converted())
    assert (low["fp32"], low["fp16"], low["casts"]) == ({}, 4, 2)
    some = nodes.counted(converted(KEPT))
    assert (some["fp32"], some["fp16"]) == ({"LayerNormalization": 1, "MatMul": 1}, 2)
    assert some["casts"] > 2


def test_every_fp16_result_is_rounded(batch: Any) -> None:
    """The same digits as NumPy's, which rounds after each operation; onnxruntime alone rounds less often."""
    half = {w.name: np.float16(v) for w, v in _weights()}
    x = np.float16(batch)

    def rounded(value: Any) -> Any:
        return np.float32(np.float16(value))

    x32 = np.float32(x)
    centred = x32 - x32.mean(axis=-1, keepdims=True)
    normed = rounded(
        centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(1e-5)) * np.float32(half["scale"])
    )
    product = rounded(normed @ np.float32(half["matrix"]))
    shares = np.exp(product - product.max(axis=-1, keepdims=True))
    wanted = rounded(rounded(shares / shares.sum(axis=-1, keepdims=True)) + x32)
    found = rounding.of_graph(converted(), batch)
    assert np.abs(found - wanted).max() <= 2**-9  # a sum in another order may round one value the other way
    assert (found == wanted).mean() > 0.95
    assert (found == np.float32(np.float16(found))).all()


def _weights() -> Any:
    from onnx import numpy_helper

    return [(w, numpy_helper.to_array(w)) for w in graph().graph.initializer if w.name != "shape"]


@pytest.mark.parametrize("kept", [(), KEPT, ("softmax",), ("norm", "product", "move", "softmax", "sum")])
def test_a_search_tries_what_the_converter_makes(tmp_path: Path, batch: Any, kept: tuple[str, ...]) -> None:
    """Bit for bit; with every node kept it is the fp32 graph."""
    import onnx

    onnx.save(graph(), str(tmp_path / "graph.onnx"))
    found = mixed.Tower(tmp_path / "graph.onnx").encode(batch, kept)
    assert np.array_equal(found, rounding.of_graph(converted(kept), batch))
    exact = rounding.of_graph(graph(), batch)
    assert np.array_equal(found, exact) == (len(kept) == len(graph().graph.node))


def row(tool: str, count: int, drift: float, **more: Any) -> dict[str, Any]:
    """A row as the study keeps it."""
    return {
        "tool": tool,
        "seconds": 2.0,
        "fp32_nodes": count,
        "nodes": {"fp32": {"MatMul": count} if count else {}, "fp16": 9, "casts": 2},
        "distances": (drift * np.linspace(0.1, 1.0, 32)).tolist(),
        "drift": {"median": drift / 4, "p99": drift / 2, "max": drift},
        "drift_on_cpu": {"median": drift / 8, "p99": drift / 8, "max": drift / 8},
        "latency": {"p50_ms": 1.5, "fp32_p50_ms": 1.0, "ratio": 1.5, "low": 1.4, "high": 1.6, "n": 20},
        **more,
    }


def test_as_good_is_fewer_nodes_and_no_more_drift() -> None:
    """Chance is no difference; a tenth more on every input is one, as is a vector that is not finite."""
    theirs = row("theirs", 2, 2e-6)
    assert beats(row("ours", 2, 2e-6), theirs)
    assert not beats(row("ours", 3, 1e-6), theirs)
    assert not beats(row("ours", 2, 2.2e-6), theirs)
    noisy = row("ours", 2, 2e-6)
    noisy["distances"] = [one * (1.1 if place % 2 else 0.9) for place, one in enumerate(theirs["distances"])]
    assert beats(noisy, theirs)
    assert not beats(row("ours", 2, np.inf), theirs)
    assert not beats({"tool": "ours", "failed": "no answer within 9 s"}, theirs)


def test_the_table_says_who_is_as_good() -> None:
    """A tool that gave no file has its reason."""
    one, two, three = tools.TOOLS
    ours = [row(PLAIN, 0, 4e-6, kept=[]), row("ours, within the budget", 2, 2e-6, kept=["visual.conv1"])]
    theirs = [row(one, 2, 2e-6), row(two, 1, 1e-6)]
    tower = {"tower": "image", "inputs": 3, "tried": 2, "budget": 2e-6, "answers": [answer(ours, each) for each in theirs]}
    tower["rows"] = [*theirs, {"tool": three, "failed": "no answer within 9 s"}, *ours]
    model = {"model": "small", "parameters": 10, "towers": [tower], "date": "2026-11-30T00:00:00", "commit": "abc"}
    model["environment"] = {"cpu": "a processor", "cores": 2}
    found = {"command": "make policies", "versions": {"onnx": "1"}, "limit_s": 9.0, "models": [model], "missing": ["large"]}
    shown = page.markdown(found)
    assert "Not measured yet: large." in shown
    mine = "ours, within the budget | 2 | 5.00e-07, 2.00e-06 | 2 | 1.00 [1.00, 1.00] | yes"
    assert f"| small | image | {one} | 2 | 5.00e-07, 2.00e-06 | 2 | {mine} |" in shown
    assert f"| small | image | {two} | 1 | 2.50e-07, 1.00e-06 | 2 | none | – | – | – | – | **no** |" in shown
    assert f"| small | image | {three} | no answer within 9 s |" in shown
    assert "- ours, within the budget: 2 MatMul (`visual.conv1`)" in shown


def test_a_tool_that_fails_or_takes_too_long_has_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a row of the table; the others are measured."""
    monkeypatch.setattr(tools, "PYTHON", Path(sys.executable))  # which has no ModelOpt
    given = (tools.TOOLS["ModelOpt AutoCast"], tmp_path / "a.onnx", tmp_path / "b.onnx", tmp_path, 1e-6)
    assert tools.convert(*given, limit_s=HANG_S) == {"failed": "ModuleNotFoundError: No module named 'modelopt'"}
    assert tools.convert(*given, limit_s=1e-3) == {"failed": "no answer within 0 s"}


def test_what_is_known_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was interrupted goes on where it was, for the same weights, tower and tool."""
    made: list[str] = []
    monkeypatch.setattr(runs, "judged", lambda subject, path: {"fp32_nodes": 3})
    monkeypatch.setattr(runs, "latency", lambda subject, path: {"ratio": 1.0})

    def new(tower: Tower, limit_s: float = 9.0) -> Any:
        run = object.__new__(runs.Run)
        run.tower, run.place = tower, runs.Place(Lines(tmp_path / "rows.jsonl"), tmp_path, limit_s, lambda text: None)
        run.model = SimpleNamespace(weights_sha256="sha")  # type: ignore[assignment]
        run.subject = SimpleNamespace()  # type: ignore[assignment]
        return run

    def make() -> dict[str, Any]:
        made.append("once")
        return {"seconds": 1.0}

    first = new("image")._row("ModelOpt AutoCast", make)
    assert first == {"tool": "ModelOpt AutoCast", "seconds": 1.0, "fp32_nodes": 3, "latency": {"ratio": 1.0}}
    assert new("image")._row("ModelOpt AutoCast", make) == first
    assert len(made) == 1
    new("text")._row("ModelOpt AutoCast", make)
    assert len(made) == 2
    late = {"tool": "auto mixed precision", "failed": "no answer within 9 s"}
    assert new("text")._row("auto mixed precision", lambda: {"failed": "no answer within 9 s"}) == late
    assert new("text", 5.0)._row("auto mixed precision", make) == late
    assert "failed" not in new("text", 20.0)._row("auto mixed precision", make) and len(made) == 3
    assert "failed" not in new("text")._row("auto mixed precision", make) and len(made) == 3


def test_without_the_tools_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is measured."""
    monkeypatch.setattr(tools, "PYTHON", tmp_path / ".venv-policies" / "bin" / "python")
    assert program.main(["--quick"]) == 4
    assert capsys.readouterr().err.splitlines() == [
        "no .venv-policies, which has ModelOpt and onnxconverter-common: make policies sets it up"
    ]
