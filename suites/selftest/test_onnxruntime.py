"""onnxruntime cells prove their precision and provider from what ran, and a provider that lies is found out."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.backends._onnx import onnx_files
from fixtures.backends._onnx_profile import Node, evidence_of
from fixtures.backends.onnxruntime import OnnxEncoder
from fixtures.backends.onnxruntime_tensorrt import TensorrtEncoder, fp32_or_tf32, no_tf32, provider_options
from fixtures.capability import Evidence, Tower
from fixtures.models import Model, load_model
from fixtures.registry import backends

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
PRODUCTS = {"image": 38, "text": 19}  # of scenes-s: per block 4 with weights and 2 of attention, patches, projection


@pytest.fixture(scope="module")
def model() -> Model:
    """The default model."""
    return load_model("scenes-s", "")


@pytest.fixture(scope="module")
def files(model: Model) -> dict[Tower, str]:
    """Its fp32 text tower alone."""
    return {"text": str(onnx_files(model, "fp32")[0] / model.onnx_file("text", "fp32"))}


@pytest.mark.parametrize(
    ("precision", "proved", "told"),
    [
        ("fp32", "fp32", "{all} in fp32 on CPUExecutionProvider"),
        ("fp16", "fp16-storage", "{all} in fp32 on CPUExecutionProvider; "),
        ("int8", "int8", " in int8 on CPUExecutionProvider, "),
    ],
)
def test_precision_is_read_from_what_ran(model: Model, precision: str, proved: str, told: str) -> None:
    """Every product is counted; an fp16 graph on the CPU is found to multiply in fp32."""
    encoder = backends()["onnxruntime"].load(model, precision, "cpu")
    inputs: dict[Any, Any] = {"image": np.zeros((1, 3, 224, 224), np.float32), "text": model.tokenize(["a dog"])}
    for tower, batch in inputs.items():
        found = encoder.evidence(batch, tower)
        assert found is not None
        assert (found.precision, found.device) == (proved, "cpu")
        assert told.format(all=PRODUCTS[tower]) in found.how


def claim(monkeypatch: pytest.MonkeyPatch, provider: str) -> None:
    """From now on, sessions say that they run on `provider`, with the options they were given, and run on the CPU."""
    import onnxruntime

    class Lying(onnxruntime.InferenceSession):  # type: ignore[misc]  # onnxruntime is not typed
        def __init__(self, *args: Any, providers: Any, **kwargs: Any) -> None:
            super().__init__(*args, providers=[CPU], **kwargs)
            self.given = providers[0][1] if providers[0] != CPU else {}

        def get_providers(self) -> list[str]:
            return [provider, CPU]

        def get_provider_options(self) -> dict[str, dict[str, str]]:
            return {provider: self.given}

    monkeypatch.setattr(onnxruntime, "InferenceSession", Lying)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [provider, CPU])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)


def test_a_session_that_fell_back_fails(files: dict[Tower, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime opens a session on another provider without an error: the cell fails."""
    import onnxruntime

    monkeypatch.setattr(onnxruntime.InferenceSession, "get_providers", lambda self: ["AzureExecutionProvider", CPU])
    with pytest.raises(RuntimeError, match=f"text session runs on .*Azure.*, asked for {CPU}: a silent fall-back"):
        OnnxEncoder(files, "cpu", None)


@pytest.mark.parametrize("provider", [CUDA, TENSORRT])
def test_a_session_that_claims_the_provider_and_runs_elsewhere_fails(
    files: dict[Tower, str], model: Model, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """A session that says CUDA while its nodes run on the CPU is found out by the profile."""
    claim(monkeypatch, provider)
    encoder = OnnxEncoder(files, "cuda", None, provider, {"text": {}})
    with pytest.raises(RuntimeError, match=f"19 on {CPU} of 19 matrix products, asked for {provider}: a silent fall-back"):
        encoder.evidence(model.tokenize(["a dog"]), "text")


def test_a_call_that_fails_is_not_run_again_elsewhere(files: dict[Tower, str]) -> None:
    """onnxruntime's own retry on another provider is off from the start."""
    assert OnnxEncoder(files, "cpu", None).sessions["text"]._enable_fallback is False


def test_one_product_elsewhere_is_one_too_many() -> None:
    """Shape arithmetic may run on the CPU, a product may not; TF32 and an engine are called by their names."""
    nodes = [Node("Gemm", CUDA, ("float", "float")), Node("Concat", CPU, ("int64", "int64"))]
    assert evidence_of(nodes, CUDA, tf32=False).precision == "fp32"
    assert evidence_of(nodes, CUDA, tf32=True).precision == "tf32"
    assert evidence_of([Node("MatMul", CUDA, ("float16", "float16"))], CUDA, tf32=True).precision == "fp16"
    engine = evidence_of([Node("TRTKernel_graph_main_0", TENSORRT, ("float",))], TENSORRT, tf32=True)
    assert (engine.precision, engine.device) == ("engine", "cuda")
    assert evidence_of([], CPU, tf32=False).precision == "nothing"
    with pytest.raises(RuntimeError, match=f"1 on {CPU} of 2 matrix products, asked for {CUDA}"):
        evidence_of([*nodes, Node("FusedMatMul", CPU, ("float", "float"))], CUDA, tf32=False)


def test_the_tensorrt_provider_builds_for_one_input(files: dict[Tower, str], tmp_path: Path) -> None:
    """Engines of batch 1, made when the session opens; fp16 only where the cell says so."""
    options = provider_options(files["text"], "text", "fp32", tmp_path)
    assert {options[f"trt_profile_{bound}_shapes"] for bound in ("min", "opt", "max")} == {"input:1x77"}
    assert options["trt_fp16_enable"] == "0"
    assert provider_options(files["text"], "text", "fp16", tmp_path)["trt_fp16_enable"] == "1"


def test_the_tensorrt_provider_proves_its_precision(
    files: dict[Tower, str], model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the session's options in fp16, else by the result's distance to that of the CPU provider."""
    claim(monkeypatch, TENSORRT)
    one_engine = Evidence("engine", "cuda", "1 in engine on TensorrtExecutionProvider")
    monkeypatch.setattr(OnnxEncoder, "evidence", lambda *_: one_engine)
    tokens = model.tokenize(["a dog", "a bus"])
    for options, error, wanted in (("fp32", 0.0, "fp32"), ("fp32", 1e-3, "tf32"), ("fp16", 1e-3, "fp16")):
        given: dict[Tower, Any] = {"text": provider_options(files["text"], "text", options, tmp_path)}
        encoder = TensorrtEncoder(files, "cpu", None, TENSORRT, given)
        assert encoder.encode_text(tokens).shape == (2, model.embed_dim)
        exact = encoder.download
        monkeypatch.setattr(encoder, "download", lambda x, exact=exact, error=error: exact(x) * np.float32(1 + error))
        found = encoder.evidence(tokens, "text")
        assert (found.precision, found.device) == (wanted, "cuda")


def test_tf32_is_told_by_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products of operands cut to TF32's 10 bits are told from fp32 ones; the environment is as before after a build."""
    draw = np.random.default_rng(0)
    a, b = (draw.normal(size=(256, 256)).astype(np.float32) for _ in range(2))
    cut = [(x.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32) for x in (a, b)]
    assert fp32_or_tf32(a @ b, (a.astype(np.float64) @ b).astype(np.float32))[0] == "fp32"
    assert fp32_or_tf32(cut[0] @ cut[1], a @ b)[0] == "tf32"
    for before in (None, "1"):
        monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
        if before:
            monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", before)
        with no_tf32():
            assert os.environ["NVIDIA_TF32_OVERRIDE"] == "0"
        assert os.environ.get("NVIDIA_TF32_OVERRIDE") == before
