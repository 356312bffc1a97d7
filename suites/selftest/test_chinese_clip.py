"""Chinese-CLIP runs as every other model does, and is what cn_clip itself makes of it: tokens, pixels, weights, files."""

import json
import os
from typing import Any

import numpy as np
import pytest

from fixtures.capability import Geometry
from fixtures.models import Model, _cn_clip, family, load_model
from fixtures.registry import preprocessors
from suites.selftest.conftest import ROOT, small_dataset, start

NAME, RANDOM = "chinese-clip:RN50", "random:0"  # the smallest
IMAGES = ROOT / "fixtures" / "datasets" / "scenes" / "images"
# What calls keep, and what an encoder leaves behind, does not depend on the model.
SUITES = ("suites/preprocessing", "suites/embeddings/test_encoder.py", "suites/embeddings/test_cell.py")


@pytest.fixture(scope="module")
def model() -> Model:
    """The smallest architecture with random weights."""
    return load_model(NAME, RANDOM)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):  # type: ignore[no-untyped-def]
    """Golden data made once, then one inner run: its folder, process, report, and how to run once more."""
    folder = tmp_path_factory.mktemp("chinese")
    given = (
        "--model",
        NAME,
        "--pretrained",
        RANDOM,
        f"--dataset={small_dataset(folder / 'mine')}",
        f"--golden={folder}/golden",
    )
    env = {"CLIP_CONFORMANCE_CACHE": str(folder / "cache")}
    made = start(folder, *given, "--update-golden", env=env)
    assert "new golden data" in made.stdout + made.stderr, made.stdout[-3000:]
    cells = (
        "--backend", "torch-eager,onnxruntime", "--precision", "fp32,fp16", "--preprocessor", "original_clip,opencv_based",
        "-k", "not torch-eager-fp16",  # which is what it is with every model
    )  # fmt: skip
    process = start(folder, *given, *cells, *SUITES, env=env)
    return folder, process, json.loads((folder / "report.json").read_text()), given


def test_every_cell_passes(finished) -> None:  # type: ignore[no-untyped-def]
    """With a model that squashes, the documents' OpenCV row has the right geometry: no failure of it is expected."""
    _, process, report, _ = finished
    assert process.returncode == 0, process.stdout[-3000:]
    assert len(report["cells"]) == 6
    broken = {
        (cell["backend"], cell["precision"], *cell["broken_promises"]) for cell in report["cells"] if cell["verdict"] != "pass"
    }
    assert broken <= {("onnxruntime", "fp16", "E9")}, broken  # fp16 is storage only on x86
    assert report["cells"][0]["id"].startswith("chinese-clip:RN50@random:0-")


def test_cropping_is_caught(finished) -> None:  # type: ignore[no-untyped-def]
    """A preprocessor that crops for a model that squashes breaks the promise of geometry."""
    folder, _, _, given = finished
    fault = ("-p", "suites.selftest.odd_ones", "--preprocessor", "cropping", "suites/preprocessing", "-k", "geometry")
    result = start(folder, *given, *fault, env={"PLANT": "cropping"})
    assert result.returncode == 1
    assert "P2 broken" in result.stdout


def test_exported_files_are_the_guides(finished, model: Model) -> None:  # type: ignore[no-untyped-def]
    """Names of files, inputs and outputs are the deployment guide's; each file is valid and gives the model's vectors."""
    import onnx
    import onnxruntime
    import torch

    files = {path.name: path for path in (finished[0] / "cache").rglob("*.onnx")}
    assert set(files) == {f"rn50.{tower}.{precision}.onnx" for tower in ("img", "txt") for precision in ("fp32", "fp16")}
    pixels = np.random.default_rng(0).normal(size=(1, 3, 224, 224)).astype(np.float32)
    inputs = {"img": ("image", pixels), "txt": ("text", model.tokenize(["皮卡丘"]))}
    for name, path in files.items():
        tower, values = inputs[name.split(".")[1]]
        onnx.checker.check_model(str(path))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(path), options, disabled_optimizers=["NchwcTransformer"])
        (found,) = session.run([f"unnorm_{tower}_features"], {tower: values})
        wanted = getattr(model.module(), f"encode_{tower}")(torch.from_numpy(values)).numpy()
        np.testing.assert_allclose(found, wanted, atol=(0.01 if "fp16" in name else 1e-5) * np.abs(wanted).max())
        halves = sum(weight.data_type == onnx.TensorProto.FLOAT16 for weight in onnx.load(str(path)).graph.initializer)
        assert (halves > 30) == ("fp16" in name)


def test_tokens_are_cn_clips(model: Model) -> None:
    """52 of them; a longer text is cut with its end mark kept."""
    from cn_clip import clip

    texts = ["皮卡丘", "a dog and 一只猫", "", "猫" * 100]
    found = model.tokenize(texts)
    assert found.shape == (4, 52)
    assert found.dtype == np.int64
    assert np.array_equal(found, clip.tokenize(texts, context_length=52).numpy())
    assert found[3, -1] == found[0, 4] == 102  # [SEP]


@pytest.mark.parametrize("name", ["original_clip", "our_clip_implementation"])
@pytest.mark.filterwarnings("ignore:Palette images with Transparency:UserWarning")
def test_pixels_are_cn_clips(name: str) -> None:
    """Bit for bit cn_clip's own transform, on plain files and on odd ones."""
    from cn_clip.clip.utils import image_transform
    from PIL import Image

    paths = [*sorted(IMAGES.glob("scene_00*.jpg"))[:3], *sorted((IMAGES / "odd").iterdir())]
    assert len(paths) > 10
    for path in paths:
        with Image.open(path) as image:
            wanted = image_transform(224)(image).numpy()
        assert np.array_equal(preprocessors()[name](str(path), Geometry(224, squash=True)), wanted), path.name


@pytest.mark.parametrize("architecture", _cn_clip.TEXT_TOWERS)
def test_every_architecture(architecture: str) -> None:
    """Both towers, resolution and D are cn_clip's, shown on a module that holds no weights."""
    import torch
    from cn_clip.clip.utils import _MODEL_INFO

    config, module = _cn_clip.configuration(architecture), _cn_clip.empty(architecture).eval()
    assert _MODEL_INFO[architecture]["struct"] == f"{architecture}@{_cn_clip.TEXT_TOWERS[architecture]}"
    side, dimensions = config["image_resolution"], config["embed_dim"]
    assert side == _MODEL_INFO[architecture]["input_resolution"]
    with torch.inference_mode(), torch.device("meta"):
        assert module.encode_image(torch.zeros(1, 3, side, side)).shape == (1, dimensions)
        assert module.encode_text(torch.zeros(1, 52, dtype=torch.int64)).shape == (1, dimensions)


def test_half_precision_is_cn_clips(model: Model) -> None:
    """fp16 gives the bits that cn_clip's own loading gives; bf16 rounds the same weights, once, from fp32."""
    import torch
    from cn_clip.clip.utils import create_model

    theirs = create_model("RN50@RBT3-chinese", {"state_dict": dict(model.state)}).eval()
    ours, pixels = model.module("fp16"), torch.rand(2, 3, 224, 224)
    tokens = torch.from_numpy(model.tokenize(["一只猫", "狗"]))
    with torch.inference_mode():
        assert torch.equal(ours.encode_image(pixels), theirs.encode_image(pixels))
        assert torch.equal(ours.encode_text(tokens), theirs.encode_text(tokens))
    rounded = model.module("bf16").state_dict()
    assert {name for name, tensor in rounded.items() if tensor.dtype == torch.bfloat16} == {
        name for name, tensor in ours.state_dict().items() if tensor.dtype == torch.float16
    }
    assert torch.equal(rounded["text_projection"], model.state["text_projection"].bfloat16())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Model:
    """A transformer of cn_clip's making with two thin layers, which no released architecture has."""
    image = {"image_resolution": 64, "vision_layers": 2, "vision_width": 64, "vision_patch_size": 32, "embed_dim": 32}
    text = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    thin = {**image, **{f"text_{key}": value for key, value in text.items()}}
    config = {**_cn_clip.configuration("ViT-B-16"), **thin}
    monkeypatch.setattr(_cn_clip, "configuration", lambda architecture: config)
    return load_model("chinese-clip:ViT-B-16", RANDOM)


def test_truth_can_be_made_of_a_transformer(small: Model) -> None:
    """float64 is float64 in every norm, and int8 is emulated in both projections; neither changes the model's weights."""
    from fixtures import truth
    from plugins.comparison import cosine_distance

    before = {name: tensor.clone() for name, tensor in small.state.items()}
    inputs: dict[str, Any] = {
        "image": np.random.default_rng(0).normal(size=(3, 3, 64, 64)).astype(np.float32),
        "text": small.tokenize(["一只猫", "a dog", "狗"]),
    }
    for tower in ("image", "text"):
        exact = truth.float64(small, inputs[tower], tower, iter)
        assert exact.dtype == np.float64
        errors = [
            cosine_distance(truth.at_precision(small, precision, inputs[tower], tower), exact).max()
            for precision in ("fp32", "fp16", "bf16", "int8")
        ]
        assert 0 < errors[0] < 1e-12 < 1e-9 < errors[1] < errors[2] < 1e-3
        assert 1e-7 < errors[3] < 1e-2
    assert all((small.state[name] == tensor).all() for name, tensor in before.items())


def test_family_is_known_from_the_name() -> None:
    """A name or an id tells whether its model squashes; what has no family's prefix is open_clip's."""
    assert family(NAME).squash
    assert family(f"{NAME}@{RANDOM}").squash
    assert not any(family(name).squash for name in ("scenes-s", "ViT-B-32", "hf-hub:a/b", "RN50@random:0"))
    assert preprocessors()["opencv_based"].failures(squash=True).keys() == {"P4", "P6"}
    assert {"P2", "P3", "C1", "R1"} < preprocessors()["opencv_based"].failures(squash=False).keys()


def test_geometry_and_names_are_the_models(model: Model) -> None:
    """An open_clip model crops and keeps its plain file names."""
    default = load_model("scenes-s", "")
    assert (model.geometry, default.geometry) == (Geometry(224, squash=True), Geometry(224))
    assert model.onnx_file("text", "fp16") == "rn50.txt.fp16.onnx"
    assert default.onnx_file("text", "fp16") == "text.onnx"
    assert os.sep not in model.id
