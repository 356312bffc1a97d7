"""Every name of the reference documents has its cell, and the matrix page shows it."""

from pathlib import Path

import pytest

from fixtures.errors import Unavailable
from fixtures.registry import backends, families, preprocessors
from suites.selftest.conftest import Run

# What the documents name (systems.md, section 1): backend, precisions, devices.
ROWS = {
    "load:cpu": ("torch-eager", ("fp32",), ("cpu", "cuda", "mps")),
    "load:cuda": ("torch-eager", ("fp16", "bf16"), ("cpu", "cuda", "mps")),
    "TF32, apart from fp32": ("torch-eager", ("tf32",), ("cuda",)),
    "mixed precision": ("torch-autocast", ("fp16", "bf16"), ("cpu", "cuda", "mps")),
    "load from cpu, cast to float16": ("torch-eager", ("fp16-output",), ("cpu", "cuda", "mps")),
    "OpenAI clip": ("openai-clip", ("fp32", "fp16"), ("cpu", "cuda", "mps")),
    "onnx, onnx16": ("onnxruntime", ("fp32", "fp16"), ("cpu", "cuda")),
    "optimized onnx": ("onnxruntime-optimized", ("fp32",), ("cpu", "cuda")),
    "tensorrt:onnx": ("onnxruntime-tensorrt", ("fp32", "fp16"), ("cuda",)),
    "TensorRT engine": ("tensorrt", ("fp32", "fp16"), ("cuda",)),
    "TensorRT engine on RTX cards": ("tensorrt-rtx", ("fp32", "fp16"), ("cuda",)),
    "TorchDynamo": ("torch-compile", ("fp32", "fp16", "bf16"), ("cpu", "cuda")),
    "TorchDynamo, tuned": ("torch-compile-max-autotune", ("fp32", "fp16", "bf16"), ("cuda",)),
    "kernl": ("kernl", ("fp16",), ("cuda",)),
    "PyTorch dynamic quantization": ("torch-dynamic-int8", ("int8",), ("cpu",)),
    "torchao": ("torchao", ("int8",), ("cpu", "cuda")),
    "onnx int8": ("onnxruntime", ("int8",), ("cpu",)),
    "Neural Magic": ("deepsparse", ("fp32",), ("cpu",)),
    "DeepSpeed": ("deepspeed", ("fp32", "fp16"), ("cpu", "cuda")),
    "OpenVINO": ("openvino", ("fp32", "bf16", "fp16", "int8"), ("cpu",)),
    "Hugging Face": ("transformers", ("fp32", "fp16", "bf16"), ("cpu", "cuda", "mps")),
}


@pytest.mark.parametrize("row", ROWS)
def test_row_has_its_cells(row: str) -> None:
    """With these precisions on these devices; where it cannot run here, the reason says what to do."""
    name, precisions, devices = ROWS[row]
    backend = backends()[name]
    assert all(backend.offers(precision, device) for precision in precisions for device in devices)
    for device in devices:
        try:
            backend.available(device)
        except Unavailable as reason:
            assert any(word in str(reason) for word in ("pip install", "make audit", "install"))


def test_geometry_rows_and_chinese_clip() -> None:
    """The documents' OpenCV rows are preprocessors, and Chinese-CLIP is a family of models with a geometry of its own."""
    assert {"original_clip", "opencv_based", "read_from_cv", "opencv-cubic", "grey_conversion"} <= set(preprocessors())
    assert families()["chinese-clip"].squash and not families()["open_clip"].squash


def test_page_shows_state_and_reason(run: Run, tiny: list[str], tmp_path: Path) -> None:
    """One line for each backend and precision: what ran has its verdict, what did not its reason."""
    page = tmp_path / "matrix.md"
    result = run(
        "suites/preprocessing",
        "suites/embeddings",
        "-k",
        "test_geometry or test_end_to_end",
        "--backend",
        "torch-eager",
        "--precision",
        "fp32",
        "--preprocessor",
        "original_clip,opencv_based",
        f"--matrix-page={page}",
        *tiny,
    )
    assert result.returncode == 0, result.stdout[-2000:]
    lines = page.read_text(encoding="utf-8").splitlines()
    for backend in backends().values():
        for precision in backend.precisions:
            assert any(line.startswith(f"| {backend.name} | {precision} |") for line in lines)
    assert any(line.startswith("| torch-eager | fp32 | load:cpu; open-clip | pass | not run") for line in lines)
    assert any(line.startswith("| opencv_based | expected-failure \\[") for line in lines)
    assert any("no NVIDIA driver" in line or "no CUDA device" in line or "not selected" in line for line in lines)
