"""Every way to name a model goes through the loader that real users take, on local files."""

import json
from pathlib import Path

import pytest

from fixtures.errors import BadInput
from fixtures.models import Model, load_model
from suites.selftest.conftest import ROOT

HERE = ROOT / "fixtures" / "models" / "scenes_s"


@pytest.fixture(scope="module")
def default() -> Model:
    """The default model."""
    return load_model("scenes-s", "")


def same(a: Model, b: Model) -> bool:
    """Equal weights, whatever they were read from."""
    return a.weights_sha256 == b.weights_sha256 and (a.resolution, a.embed_dim) == (b.resolution, b.embed_dim)


def test_local_checkpoint(default: Model, tmp_path: Path) -> None:
    """A plain state dict saved by torch."""
    import torch

    torch.save(dict(default.state), tmp_path / "mine.pt")
    assert same(load_model("scenes-s", str(tmp_path / "mine.pt")), default)


def test_training_checkpoint(default: Model, tmp_path: Path) -> None:
    """A training checkpoint wraps the state dict and prefixes its names."""
    import torch

    state = {f"module.{name}": tensor for name, tensor in default.state.items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "epoch_3.pt")
    assert same(load_model("scenes-s", str(tmp_path / "epoch_3.pt")), default)


def test_hub_layout(default: Model, tmp_path: Path) -> None:
    """The files of a hub repository, in a local folder: configuration and safetensors."""
    import torch
    from safetensors.torch import save_file

    config = {"model_cfg": json.loads((HERE / "config.json").read_text()), "preprocess_cfg": {}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    save_file({k: v.contiguous() for k, v in default.state.items()}, tmp_path / "open_clip_model.safetensors")
    found = load_model(f"local-dir:{tmp_path}", "")
    assert same(found, default)
    assert found.tokenize(["a cat"]).tolist() == default.tokenize(["a cat"]).tolist()
    assert found.module("fp16").visual.conv1.weight.dtype == torch.float16


def test_transformers_format(default: Model, tmp_path: Path) -> None:
    """What transformers saved comes back as the same weights, tokens and vectors."""
    from fixtures.backends._transformers import clip_model
    from fixtures.registry import backends

    clip_model(default, "sdpa").save_pretrained(tmp_path / "saved")
    found = load_model(f"transformers:{tmp_path}/saved", "")
    assert same(found, default)
    tokens = found.tokenize(["a cat"])
    assert tokens.tolist() == default.tokenize(["a cat"]).tolist()
    ours, theirs = (backends()["torch-eager"].load(model, "fp32", "cpu").encode_text(tokens) for model in (found, default))
    assert (ours == theirs).all()


@pytest.mark.parametrize(("name", "words"), [("nowhere", "no CLIPModel that transformers can load"), ("half", "lacks")])
def test_what_is_no_transformers_model(default: Model, tmp_path: Path, name: str, words: str) -> None:
    """A folder without a model and one without all weights are refused in one sentence."""
    from safetensors.torch import load_file, save_file

    from fixtures.backends._transformers import clip_model

    if name == "half":
        clip_model(default, "sdpa").save_pretrained(tmp_path / name)
        weights = load_file(tmp_path / name / "model.safetensors")
        save_file(dict(list(weights.items())[:50]), tmp_path / name / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match=words):
        load_model(f"transformers:{tmp_path}/{name}", "")


def test_random_weights_follow_their_seed() -> None:
    """The same seed gives the same weights, another seed others."""
    first, again, other = (load_model("scenes-s", f"random:{seed}") for seed in (0, 0, 1))
    assert first.weights_sha256 == again.weights_sha256 != other.weights_sha256
    assert first.random


def test_stored_weights_are_compact() -> None:
    """The weights file holds fp32 tensors and only the token rows that were trained."""
    import torch
    from safetensors.torch import load_file

    state = load_file(HERE / "weights.safetensors")
    assert {tensor.dtype for name, tensor in state.items() if name != "token_embedding.ids"} == {torch.float32}
    assert len(state["token_embedding.ids"]) < 3000
