"""A planted defect is healed by keeping just its operation in fp32; torch, onnxruntime and TensorRT run a policy."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from fixtures import ROOT
from fixtures.backends._onnx import onnx_files, policy_files
from fixtures.backends._onnx_kept import kept_nodes
from fixtures.backends._tensorrt import precision_of
from fixtures.backends._tensorrt_build import Gpu, build_engine
from fixtures.capability import Tower
from fixtures.models import Model
from fixtures.policies.policy import Policy, read_policy
from fixtures.registry import backends
from plugins.golden.verified import load_golden
from plugins.measures.drift.policies.policy import find_policy, write_policy
from plugins.measures.drift.policies.trial import Target
from plugins.measures.vectors.metrics import cosine_distance
from plugins.subjects import Subjects
from suites.selftest.conftest import Run
from suites.studies.drift.policy_audit import budgets
from suites.studies.drift.policy_page import markdown, sentence
from suites.studies.drift.policy_planted import DEFECTS, FP8, NORM, OVERFLOW, SCALE, faulty

WIDTH = 192  # of the default model's image tower


@pytest.fixture(scope="module")
def targets() -> dict[Tower, Target]:
    """The default model's golden data with fp16's tolerance."""
    subjects = Subjects()
    return budgets(subjects, load_golden(subjects), "fp16")


KINDS = ("LayerNorm", "attention", "softmax", "mlp", "*.c_fc", "residual", "block", "convolution", "projection", "visual")


@pytest.mark.parametrize("kept", KINDS)
def test_a_cell_keeps_its_tolerance_whatever_is_kept(model: Model, targets: dict[Tower, Target], kept: str) -> None:
    """Of kinds, patterns and whole modules."""
    encoder = backends()["torch-eager"].load_policy(model, Policy("x", "fp16", (kept,)), "cpu")
    for tower, target in targets.items():
        rows = target.rows([0, 1])
        assert rows.shares(encoder.encode(rows.batch, tower)).max() <= 1


def test_sums_of_blocks_in_fp32_lower_the_drift(model: Model, targets: dict[Tower, Target]) -> None:
    """Layers still run in fp16, and afterwards the cell is what it was."""
    exact, target = model.module(), targets["image"].rows([0, 1, 2, 3, 4, 5])
    low = backends()["torch-eager"].load(model, "fp16", "cpu")
    before = cosine_distance(low.encode(target.batch, "image"), target.wanted)
    kept = low.keeping(exact, ["visual.transformer.residual"])
    assert kept is not None
    with kept:
        evidence = low.evidence(target.batch[:1], "image")
        during = cosine_distance(low.encode(target.batch, "image"), target.wanted)
    assert np.median(during / before) < 0.9
    assert evidence is not None and evidence.precision == "fp16" and not evidence.beside
    assert np.array_equal(before, cosine_distance(low.encode(target.batch, "image"), target.wanted))


def test_sums_of_blocks_are_found_in_the_graph(model: Model) -> None:
    """Two a block, of one tower alone."""
    import onnx

    folder, _ = onnx_files(model, "fp32")
    for tower, path, count in (("image", "visual.transformer.residual", 12), ("text", "transformer.residual", 6)):
        graph = onnx.load(str(folder / f"{tower}.onnx")).graph
        found = kept_nodes(graph, [path])
        assert [node.op_type for node in found] == ["Add"] * count
        readers = [node.op_type for node in graph.node if {*node.input} & {name for one in found for name in one.output}]
        assert {"LayerNormalization", "Add"} <= {*readers}


def test_all_kept_is_fp32(model: Model, targets: dict[Tower, Target]) -> None:
    """Bit for bit under autocast, whose activations are fp32 between operations."""
    policy = Policy("x", "bf16", ("visual", "transformer", "ln_final", "projection"))
    kept = backends()["torch-autocast"].load_policy(model, policy, "cpu")
    whole = backends()["torch-eager"].load(model, "fp32", "cpu")
    for tower, target in targets.items():
        assert np.array_equal(kept.encode(target.batch[:2], tower), whole.encode(target.batch[:2], tower))


@pytest.mark.long
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_healed_by_its_own_operation(model: Model, targets: dict[Tower, Target], defect: str) -> None:
    """The cell breaks its tolerance; with exactly the defective operation in fp32 it keeps it, at a latency that is said."""
    policy, found = find_policy(faulty([defect]), model, "fp16", "cpu", targets, "mended", seconds=0.3, with_frontier=False)
    _, operation, _ = DEFECTS[defect]
    assert not found["within"] and found["reached"]
    assert policy is not None and policy.keep == (operation,)
    (row,) = [row for row in found["towers"].values() if row["kept"]]
    assert row["smallest"] and row["own"]["share"] <= 1
    assert row["low"].get("share", math.inf) > 1
    assert 0.1 < row["own"]["low"] <= row["own"]["ratio"] <= row["own"]["high"]
    assert operation in sentence(found) and "of the latency" in sentence(found)
    healed = faulty([defect]).load_policy(model, policy, "cpu")
    assert all(target.shares(healed.encode(target.batch, tower)).max() <= 1 for tower, target in targets.items())


@pytest.mark.long
def test_defects_of_one_cell_are_told_apart(model: Model, targets: dict[Tower, Target]) -> None:
    """All three at once: all three operations, and no other; page and figures are made of the same."""
    some = {tower: target.rows(list(range(0, len(target.names), 4))) for tower, target in targets.items()}
    policy, found = find_policy(faulty(list(DEFECTS)), model, "fp16", "cpu", some, "mended", seconds=0)
    assert policy is not None and policy.keep == tuple(sorted((FP8, NORM, OVERFLOW)))
    page = markdown({"searches": [{"title": "all", "budget": "golden's", **found}], "seconds": 1.0})
    assert f"`{OVERFLOW}` (1 of 29)" in page and "not finite" in page


@pytest.mark.long
def test_a_policy_heals_onnxruntime_too(model: Model, targets: dict[Tower, Target], tmp_path: Path) -> None:
    """Weights whose fp16 overflows in one attention: the cell breaks, and keeps golden under a policy read from its file."""
    state = dict(model.state)
    for name, factor in (("in_proj_weight", SCALE), ("in_proj_bias", SCALE)):
        state[f"{OVERFLOW}.{name}"] = state[f"{OVERFLOW}.{name}"].clone()
        state[f"{OVERFLOW}.{name}"][2 * WIDTH :] *= factor
    state[f"{OVERFLOW}.out_proj.weight"] = state[f"{OVERFLOW}.out_proj.weight"] / SCALE
    other = Model("scenes-s", "", "scenes-s", state, model.geometry, model.embed_dim)
    write_policy(Policy("mended", "fp16", (OVERFLOW,), other.weights_sha256), tmp_path / "mended.toml")
    policy, target = read_policy(tmp_path / "mended.toml"), targets["image"].rows(list(range(12)))
    backend = backends()["onnxruntime"]
    broken, healed = backend.load(other, "fp16", "cpu"), backend.load_policy(other, policy, "cpu", tmp_path)
    assert target.shares(broken.encode(target.batch, "image")).max() > 1
    assert target.shares(healed.encode(target.batch, "image")).max() <= 1


@pytest.mark.long
def test_int8_keeps_what_it_is_told(model: Model, targets: dict[Tower, Target], tmp_path: Path) -> None:
    """onnxruntime's quantiser leaves all of a tower alone, or all but its attention."""
    backend, target = backends()["onnxruntime"], targets["text"]
    kinds = ("attention", "mlp", "projection")
    every, some = (backend.load_policy(model, Policy("x", "int8", kept), "cpu", tmp_path) for kept in (kinds, kinds[1:]))
    kinds_of = [{found.precision, *found.beside} for e in (every, some) if (found := e.evidence(target.batch[:1], "text"))]
    assert kinds_of == [{"fp32"}, {"fp32", "int8"}]
    exact, rounded = (target.shares(encoder.encode(target.batch, "text")).max() for encoder in (every, some))
    assert exact < 1e-3 < 1 < rounded  # of fp16's tolerance


def test_tensorrt_builds_a_mixed_engine(model: Model, tmp_path: Path) -> None:
    """The engine's own list of layers has products in fp16, and in fp32 where the policy says so."""
    trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed: pip install tensorrt-rtx")
    folder, _ = policy_files(model, Policy("x", "fp16", ("*.mlp",)), tmp_path)
    gpu = Gpu("NVIDIA RTX A6000", (8, 6))
    _, layers = build_engine(trt, folder / model.onnx_file("text", "fp16"), "text", gpu)
    _, how = precision_of(layers, b"")
    assert "in fp16" in how and "in fp32" in how


@pytest.mark.long
def test_the_suite_finds_the_policy_and_passes_under_it(run: Run, few: list[str], tmp_path: Path) -> None:
    """D6 breaks, names the operation and writes the file; every promise on embeddings is kept by the cell that loads it."""
    plant = {"env": {"DEFECTS": "fp8", "PYTHONPATH": os.fspath(ROOT)}}
    target = tmp_path / "mended.toml"
    common = ("-p", "suites.selftest.planted.policy_faults", "--backend", "faulty", "--preprocessor", "original_clip")
    broken = run(*common, "suites/drift/test_policy.py", "--precision", "fp16", f"--policy-file={target}", *few, **plant)
    assert broken.returncode == 1
    assert "D6 broken: drift stays within its budget" in broken.stdout
    assert f"1 of the text tower's 15 operations ({FP8}) in fp32" in broken.stdout
    assert read_policy(target).keep == (FP8,)
    suites = ("suites/embeddings", "suites/drift/test_policy.py")
    healed = run(
        "-v", *common[:3], "faulty,torch-autocast", *common[4:], *suites, f"--precision=policy:{target}", *few, **plant
    )
    assert healed.returncode == 0, healed.stdout[-3000:]
    assert "scenes-s-faulty-policy:mended-original_clip-cpu" in healed.stdout
    assert "scenes-s-torch-autocast-policy:mended-original_clip-cpu" in healed.stdout


def test_selections_that_cannot_be_are_one_sentence(run: Run, tmp_path: Path) -> None:
    """No file, a backend that keeps nothing, two files of one name; and the usual message for an unknown precision."""
    (tmp_path / "a").mkdir()
    for place in (tmp_path / "a" / "x.toml", tmp_path / "x.toml"):
        place.write_text('base = "bf16"\nkeep = ["LayerNorm"]')
    cases = {
        f"--precision=policy:{tmp_path}/none.toml": "no policy file",
        f"--precision=policy:{tmp_path}/x.toml,policy:{tmp_path}/a/x.toml": "would give cells one name, 'x'",
        f"--precision=policy:{tmp_path}/x.toml --backend=onnxruntime": "any of torch-autocast, torch-eager",
        "--precision=fp61 --backend=torch-eager": "unknown precision 'fp61' for torch-eager: did you mean 'fp16'",
    }
    for options, told in cases.items():
        result = run("suites/embeddings", "--collect-only", "-q", *options.split())
        assert result.returncode == 4
        assert told in result.stdout + result.stderr
