"""An optimised graph holds the fused nodes that it claims, or its cell fails."""

from pathlib import Path

import numpy as np
import pytest

from fixtures.backends._onnx import TOWERS, onnx_files
from fixtures.backends.onnxruntime_optimized import OnnxRuntimeOptimized, OptimizedEncoder, fused_nodes
from fixtures.models import Model, load_model
from fixtures.registry import backends
from plugins.comparison import cosine_distance


@pytest.fixture(scope="module")
def model() -> Model:
    """The default model: 6 layers of image tower, 3 of text tower."""
    return load_model("scenes-s", "")


def test_every_attention_layer_is_fused(model: Model) -> None:
    """Both towers, and the vectors are the reference's."""
    encoder = OnnxRuntimeOptimized().load(model, "fp32", "cpu")
    tokens = model.tokenize(["a cat", "two dogs"])
    evidence = encoder.evidence(tokens[:1], "text")
    assert (
        evidence is not None and "fused: " in evidence.how and "3 Attention" in evidence.how and "3 QuickGelu" in evidence.how
    )
    reference = backends()["torch-eager"].load(model, "fp32", "cpu")
    assert cosine_distance(encoder.encode_text(tokens), reference.encode_text(tokens)).max() < 1e-11
    pixels = np.random.default_rng(0).standard_normal((2, 3, 224, 224), np.float32)
    assert cosine_distance(encoder.encode_image(pixels), reference.encode_image(pixels)).max() < 1e-11


def test_a_graph_without_fused_nodes_fails(model: Model) -> None:
    """open_clip's own export holds none: "nothing was fused", with the tower and what was found."""
    folder, _ = onnx_files(model, "fp32")
    files = {tower: str(folder / model.onnx_file(tower, "fp32")) for tower in TOWERS}
    assert fused_nodes(Path(files["image"]))["Attention"] == 0
    with pytest.raises(RuntimeError, match="nothing was fused in the image tower"):
        OptimizedEncoder(files, "cpu", None, {"image": 6, "text": 3})


def test_one_layer_short_fails(model: Model) -> None:
    """All but one is not all."""
    folder = OnnxRuntimeOptimized().load(model, "fp32", "cpu").files  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="3 of 4 attention layers were fused in the text tower"):
        OptimizedEncoder(folder, "cpu", None, {"image": 6, "text": 4})
