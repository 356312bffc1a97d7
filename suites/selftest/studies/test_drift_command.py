"""`python -m suites.studies.drift`: dynamic ranges are right, and the command writes evidence that holds what it must."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures import ROOT
from fixtures.capability import Tower
from fixtures.models import Model
from plugins.measures.drift.layers.ranges import Range, activation_ranges, outliers
from plugins.measures.drift.layers.weights import cell_errors, int8_error, weight_ranges
from plugins.report.layout import code, table
from suites.studies.drift import __main__ as command
from suites.studies.drift import audit, evidence, page, plot, sampling


def test_a_range_by_hand() -> None:
    """Headroom, subnormals, flushed values and outliers of a tensor whose values are known."""
    import torch

    x = torch.full((2, 4, 8), 1.0)
    x[0, 0, 0] = 32752.0  # half of fp16's largest number
    x[0, 1, 1] = 2.0**-15  # a subnormal of fp16, a normal number of bf16
    x[1, 2, 2] = -(2.0**-26)  # rounds to 0 in fp16
    x[1, 3, 3] = 0.0
    found = Range("x")
    found.add(x)
    row = found.as_json()
    assert row["fp16"]["headroom_bits"] == pytest.approx(1.0)
    assert row["bf16"]["headroom_bits"] > 112
    assert row["fp16"]["subnormal_share"] == pytest.approx(1 / 63)  # 64 values, of which one is 0
    assert row["fp16"]["flushed_share"] == pytest.approx(1 / 63)
    assert row["bf16"]["flushed_share"] == 0
    assert row["outlier_channels"][0] == {"index": 0, "times_the_median": pytest.approx(32752.0)}
    assert row["outlier_tokens"][0]["index"] == 0
    assert row["int8"]["rounds_to_zero_share"] == pytest.approx(32 / 63)  # the first input's other values, and 2^-26
    again = Range("halves")
    again.add(x[:1])
    again.add(x[1:])
    assert again.as_json() | {"name": "x"} == row


def test_outliers_are_named() -> None:
    """The largest always, the next from six times the median on."""
    assert outliers(np.array([1.0, 1.0, 2.0, 1.0]))[0] == {"index": 2, "times_the_median": 2.0}
    assert len(outliers(np.array([1.0, 1.0, 2.0, 1.0]))) == 1
    assert [one["index"] for one in outliers(np.array([1.0, 7.0, 1.0, 9.0, 1.0]))] == [3, 1]


@pytest.mark.parametrize("side", sampling.TOWERS)
def test_ranges_hold_what_the_model_computes(model: Model, side: Tower) -> None:
    """Each layer and what attention and MLP hold; a token that padding follows is not in them."""
    batch = model.tokenize(["a monkey"]) if side == "text" else np.ones((1, 3, 224, 224), np.float32)
    rows = {row.name: row for row in activation_ranges(model, batch, side)}
    block = "transformer.resblocks.0" if side == "text" else "visual.transformer.resblocks.0"
    for name in ("ln_1", "attn", "attn.in_proj", "attn.scores", "ln_2", "mlp", "mlp.c_fc", "mlp.gelu"):
        assert math.isfinite(rows[f"{block}.{name}"].largest)
        assert rows[f"{block}.{name}"].largest > 0
    assert rows[f"{block}.mlp.gelu"].largest <= rows[f"{block}.mlp.c_fc"].largest
    if side == "text":
        assert (rows[block].tokens > 0).sum() == batch[0].argmax() + 1


def test_weights_by_channel(model: Model) -> None:
    """int8's error is that of half a step at most; the worst channel is the one with an outlier."""
    import torch

    weight = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 64)))
    weight[3, 0] = 100.0
    found = int8_error(weight)["channel_error"]
    assert found["worst_channel"] == 3
    assert found["median"] < 0.01 < found["max"]
    names = [row["name"] for row in weight_ranges(model, "image")]
    assert "visual.proj" in names
    assert not any(name.startswith("transformer.") for name in names)
    assert all(row["fp16"]["headroom_bits"] > 10 for row in weight_ranges(model, "text"))


def test_rounded_weights_show(model: Model) -> None:
    """fp8 weights of a cell stand out from weights in fp16; quantised ones are read back."""
    from fixtures.registry import backends
    from suites.studies.drift.planted import fp8_weights

    layer = "visual.transformer.resblocks.1.mlp.c_fc"
    errors = cell_errors(model, backends()["torch-eager"].load(fp8_weights(model, layer), "fp16", "cpu"))
    assert max(errors, key=lambda name: errors[name]) == f"{layer}.weight"
    assert errors[f"{layer}.weight"] > 10 * np.median(list(errors.values()))


def test_evidence_is_json() -> None:
    """Four digits, infinity as text, a line for each layer."""
    found = {"a": float("inf"), "cells": [{"layers": [{"x": 0.123456, "y": [1, 2]}, {"x": 2.0}]}], "empty": []}
    text = evidence.text(found)
    assert json.loads(text) == {"a": "inf", "cells": [{"layers": [{"x": 0.1235, "y": [1, 2]}, {"x": 2.0}]}], "empty": []}
    assert '{"x": 0.1235, "y": [1, 2]},\n' in text


def test_tables_hold_whatever_a_text_holds() -> None:
    """A bar does not end a cell."""
    assert table(("a", "b"), [[code("x|y"), "1"]]) == "| a | b |\n|---|---|\n| `x\\|y` | 1 |\n"


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """The evidence in the repository."""
    found: dict[str, Any] = json.loads((ROOT / "golden" / "evidence" / "drift-audit.json").read_text(encoding="utf-8"))
    return found


def test_the_evidence_is_whole(kept: dict[str, Any]) -> None:
    """Every precision in both towers, every planted defect named, worst inputs worse than the data set's."""
    assert {cell["precision"] for cell in kept["cells"]} == {"fp32", "fp16", "bf16", "int8"}
    assert all(row["named"] == row["planted_in"] for row in kept["planted"])
    assert len(kept["planted"]) == 6
    assert all(row["reason"] for row in kept["skipped"])
    assert all(cell["disturbance"] == 0 for cell in kept["cells"])


def test_the_page_and_the_plot_show_it(kept: dict[str, Any]) -> None:
    """Each cell has its row, each planted defect too; the plot has four panels and every precision's colour."""
    shown = page.markdown(kept)
    assert all(f"| {cell['backend']} {cell['precision']} | {cell['tower']} |" in shown for cell in kept["cells"])
    assert shown.count("| a LayerNorm computed in fp16 |") == 2
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install matplotlib (it is in the dev group)")
    drawn = plot.svg(kept)
    assert drawn.count('id="axes_') == 4
    assert all(colour in drawn for colour in plot.COLOURS.values())
    jumps = [found for cell in kept["cells"] for found in cell["findings"] if found["what"] == "jump"]
    assert (plot.JUMP in drawn) == bool(jumps)
    layer = kept["cells"][0]["layers"][5]["name"]
    jumping = {**kept["cells"][0], "findings": [{"layer": layer, "what": "jump", "sentence": ""}]}
    assert plot.JUMP in plot.svg({**kept, "cells": [jumping, *kept["cells"][1:]]})


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A small run writes json, page, plot and worst inputs; a defect that is not named is exit code 1; a wrong model, 2."""

    class Small(sampling.Budget):
        def __init__(self, model: Model) -> None:
            super().__init__(model)
            self.layers, self.ranges, self.mutations, self.examples = 4, 4, 0, 2

    audit_cells = audit.audit_cells
    for module in ("audit", "worst_search"):
        monkeypatch.setattr(f"suites.studies.drift.{module}.Budget", Small)
    monkeypatch.setattr(command, "GOLDEN", tmp_path / "golden")
    monkeypatch.setattr("suites.studies.drift.planted.KINDS", {"fp8": "one layer's weights rounded to fp8"})
    monkeypatch.setattr("suites.studies.drift.worst_search.PRECISIONS", ("fp16",))
    monkeypatch.setattr("suites.studies.drift.worst_search.COMPARED", 4)
    cells = (("torch-eager", "fp16"), ("tensorrt", "fp16"))
    monkeypatch.setattr("suites.studies.drift.sections.audit_cells", lambda subjects, step: audit_cells(subjects, step, cells))
    assert command.main([]) == 0
    folder = tmp_path / "golden" / "evidence"
    found = json.loads((folder / "drift-audit.json").read_text(encoding="utf-8"))
    assert [cell["tower"] for cell in found["cells"]] == ["image", "text"]
    assert [row["backend"] for row in found["skipped"]] == ["tensorrt"]
    assert (tmp_path / "golden" / "drift" / "scenes-s" / "worst.json").is_file()
    assert "## Where" in (folder / "drift-audit.md").read_text(encoding="utf-8")
    found["planted"][0]["named"] = "another"
    (folder / "drift-audit.json").write_text(json.dumps(found))
    assert command.main(["--redraw"]) == 1
    assert "MISSED (named another)" in capsys.readouterr().out
    assert command.main(["--model", "ViT-B-23"]) == 4
    assert "did you mean" in capsys.readouterr().err


def test_other_models_have_evidence_of_their_own() -> None:
    """Their names say which; the command is what to type."""
    assert command.name_of("scenes-s", "") == "drift-audit"
    assert command.name_of("ViT-B-32", "random:0") == "drift-audit-ViT-B-32-random-0"
    assert command.command_of("ViT-B-32", "random:0") == "python -m suites.studies.drift --model ViT-B-32 --pretrained random:0"


def test_a_command_has_the_suites_subjects() -> None:
    """Golden data, tokens and samples come as they do in a run of pytest."""
    from plugins.golden.verified import load_golden

    subjects = sampling.subjects_of("scenes-s", "", ROOT / "golden")
    golden = load_golden(subjects)
    assert golden.text.shape[0] == len(subjects.tokens) == len(sampling.sample(subjects, "text", None))
    assert len(sampling.sample(subjects, "text", 7)) == 7
