"""`make processors`: which processors are played for whom, what is kept of other machines, what the page says."""

# Nothing is emulated here: that takes an hour.
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures import ROOT
from fixtures.cells import EncoderKey
from fixtures.datasets import load_dataset
from fixtures.machine import devices
from fixtures.registry import backends
from plugins.latency import machine
from plugins.run import environment
from suites.selftest.conftest import Run
from suites.studies.processors import __main__ as program
from suites.studies.processors import emulated, evidence, page, runs
from suites.studies.processors.kinds import column, kinds
from suites.studies.processors.selection import Selections

ZEN5 = "sse4_1 avx2 avx_vnni avx512f avx512_vnni avx512_bf16"
NUMPY = ["X86_V3", "X86_V4", "AVX512_ICL", "AVX512_SPR"]
FORCED = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}


def names(flags: str, how: str) -> list[str]:
    return [kind.name for kind in kinds(flags, NUMPY) if kind.how == how]


@pytest.mark.parametrize(
    ("flags", "played"),
    [
        (ZEN5, ["SSE4.1", "AVX2", "AVX2 + VNNI", "AVX-512", "AVX-512 + VNNI"]),
        ("sse4_1 avx2", ["SSE4.1"]),
        ("fp asimd", []),
        (
            "sse4_1 avx2 avx512f avx512_vnni avx512_bf16 amx_tile",
            ["SSE4.1", "AVX2", "AVX-512", "AVX-512 + VNNI", "AVX-512 + BF16"],
        ),
    ],
)
def test_only_older_processors_are_played(flags: str, played: list[str]) -> None:
    """The best that a processor can play is itself; emulated ones are the same everywhere."""
    assert names(flags, "switches") == played
    assert names(flags, "real") == ["itself"]
    assert names(flags, "emulated") == ["Haswell (x86_64)", "Nehalem (x86_64)", "neoverse-n1 (aarch64)"]


def test_all_libraries_play_the_same_processor() -> None:
    """oneDNN at its best with ATen not stops torch; NumPy leaves what is newer."""
    left = {}
    for kind in kinds(ZEN5, NUMPY):
        wanted = {*devices.FORCED} - ({"NM_ARCH"} if kind.name == "SSE4.1" else set())  # DeepSparse cannot play that
        assert not kind.variables or {*kind.variables} == wanted, kind.name
        left[kind.name] = kind.variables.get("NPY_DISABLE_CPU_FEATURES", "").split()
    assert (left["SSE4.1"], left["AVX2 + VNNI"], left["AVX-512"]) == (NUMPY, NUMPY[1:], NUMPY[2:])
    assert "NPY_DISABLE_CPU_FEATURES" not in kinds(ZEN5, ["X86_V3"])[2].variables


def test_who_is_played_by_what(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library without a switch is emulated, never played by switches that it does not know."""
    work = program.plan(kinds(ZEN5, NUMPY), ["onnxruntime", "openvino", "torch-eager"], "", "")
    by = {how: {(kind.name, name) for kind, name in work if kind.how == how} for how in ("switches", "emulated")}
    assert ("AVX2", "torch-eager") in by["switches"] and ("AVX-512", "openvino") in by["switches"]
    assert not {("AVX2", "onnxruntime"), ("AVX2", "openvino")} & by["switches"]
    assert {("Haswell (x86_64)", "onnxruntime"), ("neoverse-n1 (aarch64)", "onnxruntime")} <= by["emulated"]
    assert not {name for _, name in by["emulated"]} & {"torch-eager"}
    monkeypatch.setattr(devices, "processor", lambda field: "avx2 avx512_vnni")
    real = kinds(ZEN5, NUMPY)[0]
    assert backends()["onnxruntime-full-range"].nowhere() and not real.covers("onnxruntime-full-range")
    assert program.plan([real], ["torch-eager", "onnxruntime"], "", "onnxruntime") == [(real, "onnxruntime")]


def test_inner_runs_are_under_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was forced on the program is not forced on the real processor's run, nor a compiled kernel taken from another's."""
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    real, avx2 = (next(kind for kind in kinds(ZEN5, NUMPY) if kind.name == name) for name in ("itself", "AVX2"))
    assert "OPENBLAS_CORETYPE" not in runs.conditions(real, tmp_path)
    assert "forced" not in program.real_machine()
    played = runs.conditions(avx2, tmp_path)
    assert played["ONEDNN_MAX_CPU_ISA"] == "AVX2" and played["ATEN_CPU_CAPABILITY"] == "avx2"
    assert played["TORCHINDUCTOR_CACHE_DIR"] != runs.conditions(real, tmp_path)["TORCHINDUCTOR_CACHE_DIR"]


def test_a_played_processor_is_named_in_the_report(run: Run, few: list[str], tmp_path: Path) -> None:
    """By switches or by a file in place of /proc/cpuinfo; its int8 has another range; encoders run where the emulator is."""
    (tmp_path / "cpuinfo").write_text("machine\t: x86_64\nmodel name\t: Old One, emulated\nflags\t: sse4_1 avx2\n")
    emulator = ["sh", "-c", f'echo "$1 $2" > {tmp_path}/started; exec "$0" "$@"', "PYTHON"]
    played = {"CLIP_CONFORMANCE_CPUINFO": str(tmp_path / "cpuinfo"), "EMULATED": json.dumps(emulator)}
    common = ("suites/embeddings", "--backend=onnxruntime", "--precision=int8", "--preprocessor=original_clip", *few)
    result = run(*common, "-p", "suites.studies.processors.far", "-k", "test_precision and text", env={**FORCED, **played})
    assert result.returncode == 0, result.stdout[-3000:]
    assert (tmp_path / "started").read_text().endswith("fixtures/worker/server.py\n")
    assert "machine: Old One, emulated, ONEDNN_MAX_CPU_ISA=AVX2, ATEN_CPU_CAPABILITY=avx2" in result.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    found = report["environment"]
    assert (found["cpu"], found["cpu_isa"]) == ("Old One, emulated", ["avx2"])
    assert FORCED.items() <= found["forced"].items()
    assert report["cells"][0]["int8_range"] == "reduced"


def test_a_played_processor_has_a_history_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its key is another one, by whatever it is played."""
    for name in devices.FORCED:
        monkeypatch.delenv(name, raising=False)
    keys = {machine.machine()["key"]}
    for name in devices.FORCED:
        with monkeypatch.context() as patch:
            patch.setenv(name, "AVX2")
            keys.add(machine.machine()["key"])
    monkeypatch.setattr(environment, "processor", lambda field: "Intel Core Processor (Haswell), emulated by qemu 7.2.22")
    keys.add(machine.machine()["key"])
    assert len(keys) == 2 + len(devices.FORCED)


def row(processor: str, encoder: str, share: float, verdict: str = "pass", **more: Any) -> dict[str, Any]:
    """As runs.py makes it."""
    tower = {"share": share, "largest": share * 1e-3, "input": "a.jpg"}
    return {
        "processor": processor,
        "selection": "small",
        "encoder": encoder,
        "backend": encoder.rpartition("-")[0],
        "reason": "",
        "verdict": verdict,
        "broken": [],
        "declared": {},
        "drift": {"image": tower, "text": tower},
        "ran": "",
        "commit": "c0ffee",
        "date": "2026-11-26T00:00:00+00:00",
        **more,
    }


ABOUT = {"how": "real", "data": "2 scenes", "selection": "small"}


def test_rows_of_other_machines_stay(tmp_path: Path) -> None:
    """A run replaces what it measured again, all of a backend's encoders at once, and touches nothing else."""
    target = tmp_path / "processors.json"
    evidence.add([row("AMX", "torch-eager-fp32", 0.1), row("AMX", "torch-eager-gone", 0.1)], ABOUT, target)
    evidence.add([row("AMX", "torchao-int8", 0.2)], ABOUT, target)
    evidence.add([row("Zen 3", "torch-eager-fp32", 0.3)], ABOUT, target)
    found = evidence.add([row("AMX", "torch-eager-fp32", 0.4)], ABOUT, target)
    assert found == json.loads(target.read_text())
    shares = {(r["processor"], r["encoder"]): r["drift"]["image"]["share"] for r in found["rows"]}
    assert shares == {("AMX", "torch-eager-fp32"): 0.4, ("AMX", "torchao-int8"): 0.2, ("Zen 3", "torch-eager-fp32"): 0.3}
    assert list(found["processors"]) == ["AMX", "Zen 3"]
    assert (tmp_path / "processors.md").read_text() == page.markdown(found)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["processors.json", "processors.md"]


def test_an_interrupted_command_goes_on(tmp_path: Path) -> None:
    """What was measured at this commit on this selection is not run again; at another it is."""
    found = evidence.add([row("AMX", "torch-eager-fp32", 0.1)], ABOUT, tmp_path / "processors.json")
    assert evidence.done(found, "AMX", "torch-eager", "c0ffee", "small")
    for other in (
        ("AMX", "torchao", "c0ffee", "small"),
        ("AMX", "torch-eager", "beef", "small"),
        ("AMX", "torch-eager", "c0ffee", "whole"),
        ("Zen 3", "torch-eager", "c0ffee", "small"),
    ):
        assert not evidence.done(found, *other), other
    absent = row("AMX", "torchao", 0, "skipped", reason=f"not played: {emulated.INSTALL}", drift={}, backend="torchao")
    found = evidence.add([absent], ABOUT, tmp_path / "processors.json")
    assert not evidence.done(found, "AMX", "torchao", "c0ffee", "small")


def test_the_page_says_each_deviation_and_what_was_done() -> None:
    """Declared, mended or open; the same everywhere is none; what could not be played says what to install."""
    declared = {"without VNNI products saturate": ["C1", "E2"]}
    rows = [
        row("AMX", "torch-eager-fp32", 0.1),
        row("Haswell", "torch-eager-fp32", 0.2),
        row("AMX", "onnxruntime-int8", 0.2),
        row("Haswell", "onnxruntime-int8", 0.6),
        row("AMX", "torchao-int8", 0.2),
        row("Haswell", "torchao-int8", 5, "expected-failure", broken=["C1", "E2"], declared=declared),
        row("AMX", "x-bf16", 0.2),
        row("Haswell", "x-bf16", 2, "fail", broken=["E2"]),
        row("Nehalem", "openvino", 0, "skipped", reason=emulated.INSTALL, drift={}),
    ]
    found = {"command": "make processors", "processors": dict.fromkeys(("AMX", "Haswell", "Nehalem"), ABOUT), "rows": rows}
    text = page.markdown(found)
    assert "| torch-eager-fp32 | pass 10% / 10% | pass 20% / 20% |  |" in text
    assert "| torchao-int8 | pass 20% / 20% | declared 500% / 500% C1 E2 |  |" in text
    lines = {line.split("`")[1]: line for line in text.split("## Deviations")[1].splitlines() if line.startswith("- `")}
    assert "torch-eager-fp32" not in lines
    assert "image drift 2.0e-04 (20%) on A, 6.0e-04 (60%) on B" in lines["onnxruntime-int8"]
    assert "mended: where products of uint8 and int8 saturate" in lines["onnxruntime-int8"]
    assert "broken: nothing on A, C1 E2 on B" in lines["torchao-int8"]
    assert lines["torchao-int8"].endswith("declared for C1, E2: without VNNI products saturate")
    assert lines["x-bf16"].endswith("OPEN: E2")
    assert lines["openvino"] == f"- `openvino` on C: {emulated.INSTALL}"


def test_without_qemu_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row stays, not played."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    for kind in kinds(ZEN5, NUMPY)[-3:]:
        assert emulated.missing(kind) == (f"not played: qemu-{kind.machine} is not installed: apt-get install -y qemu-user")
        assert column(kind, {}) == f"{kind.name}, emulated"


def test_a_selection_keeps_golden_rows_and_limits(run: Run, tmp_path: Path) -> None:
    """Golden's own vectors of the chosen inputs, so that a run over them compares as the whole does."""
    from safetensors.numpy import load_file

    chosen = Selections(tmp_path)
    options = chosen.options("small")
    golden = tmp_path / "small" / "golden" / "scenes-s+selection"
    part, whole = load_dataset(tmp_path / "small" / "selection"), load_dataset()
    vectors, all_vectors = (load_file(folder / "vectors.safetensors") for folder in (golden, ROOT / "golden" / "scenes-s"))
    assert np.array_equal(vectors["image"], all_vectors["image"][whole.rows(part.images)])
    assert np.array_equal(vectors["text"], all_vectors["text"][[whole.texts.index(text) for text in part.texts]])
    assert (golden / "tolerances.toml").read_bytes() == (ROOT / "golden" / "scenes-s" / "tolerances.toml").read_bytes()
    assert f"{len(part.scenes)} scenes, {len(part.odd)} odd files and {len(part.texts)} texts" in chosen.words("small")
    assert chosen.options("whole") == []
    result = run(
        *options,
        "suites/embeddings",
        "--backend=torch-eager",
        "--precision=fp32",
        "--preprocessor=original_clip",
        "-k",
        "test_direction",
    )
    assert result.returncode == 0, result.stdout[-3000:]


def test_products_of_uint8_are_int8() -> None:
    """torchao makes them where the processor has VNNI and no AMX: E9 broke there."""
    import torch

    from fixtures.backends._torch import executed_products

    ones = torch.ones(32, 32, dtype=torch.int8)
    for left in (ones, ones.to(torch.uint8)):
        assert executed_products(partial(torch._int_mm, left, ones)) == {"int8 cpu": 1}


def test_sums_in_fp16_are_known_on_arm64_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """There onnxruntime's fp16 drifts 66 times as far as its tolerance allows."""
    for name, declared in (("aarch64", True), ("x86_64", False)):
        monkeypatch.setattr("platform.machine", lambda name=name: name)
        found = EncoderKey("scenes-s", "onnxruntime", "fp16", "cpu").known_failures()
        assert ({"C1", "E2", "E3"} <= {*found}) == declared
