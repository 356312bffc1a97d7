"""Weights of Chinese-CLIP: checkpoints in cn_clip's layout, what it has downloaded, and everything that is refused."""

import re
from pathlib import Path
from typing import Any

import pytest

from fixtures.errors import BadInput
from fixtures.models import Model, chinese_clip, load_model

NAME = "chinese-clip:RN50"


@pytest.fixture(scope="module")
def model() -> Model:
    """The smallest architecture with random weights."""
    return load_model(NAME, "random:0")


@pytest.fixture(scope="module")
def checkpoint(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As cn_clip's training saves it: prefixed names, and a pooler that its models do not have."""
    import torch

    path = Path(tmp_path_factory.mktemp("weights")) / "clip_cn_rn50.pt"
    state = {f"module.{name}": tensor for name, tensor in model.state.items()}
    torch.save({"epoch": 3, "state_dict": {**state, "module.bert.pooler.dense.bias": torch.zeros(768)}}, path)
    return path


def test_local_checkpoint(model: Model, checkpoint: Path) -> None:
    """The same weights, whatever they were read from."""
    found = load_model(NAME, str(checkpoint))
    assert found.weights_sha256 == model.weights_sha256
    assert (found.resolution, found.embed_dim) == (224, 1024)
    assert not found.random


def test_half_precision_checkpoint(model: Model, tmp_path: Path) -> None:
    """A file of halves becomes fp32 weights of the same values."""
    import torch

    torch.save({"state_dict": {k: v.half() if v.is_floating_point() else v for k, v in model.state.items()}}, tmp_path / "x.pt")
    found = load_model(NAME, str(tmp_path / "x.pt")).state
    assert found.keys() == model.state.keys()
    assert found["text_projection"].dtype == torch.float32
    assert torch.equal(found["text_projection"], model.state["text_projection"].half().float())


def test_what_cn_clip_has_downloaded(model: Model, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--pretrained cn-clip` goes through cn_clip's own download, which takes the file from where it keeps it."""
    (tmp_path / ".cache" / "clip").mkdir(parents=True)
    (tmp_path / ".cache" / "clip" / "clip_cn_rn50.pt").symlink_to(checkpoint)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_model(NAME, "cn-clip").weights_sha256 == model.weights_sha256


def test_a_failed_download_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network the person is told what to give instead."""

    def unreachable(*_: Any) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr("cn_clip.clip.utils._download", unreachable)
    with pytest.raises(BadInput, match=r"could not download RN50 .found: no route to host.: give --pretrained a local file"):
        load_model(NAME, "cn-clip")


def test_seeds(model: Model) -> None:
    """Another seed, other weights; every block of the image tower has a share in its vectors."""
    assert load_model(NAME, "random:1").weights_sha256 != model.weights_sha256
    assert model.random
    assert all(tensor.abs().max() > 0 for name, tensor in model.state.items() if name.endswith("bn3.weight"))


@pytest.mark.parametrize(
    ("name", "pretrained", "sentence"),
    [
        ("chinese-clip:ViT-B-61", "random:0", "unknown model .* did you mean 'chinese-clip:ViT-B-16'?"),
        (NAME, "", "expected a checkpoint file, random:0, or cn-clip"),
        (NAME, "openai", "expected a checkpoint file, random:0, or cn-clip"),
        (NAME, "random:x", "found seed 'x', expected a number"),
        (NAME, "missing.pt", "checkpoint 'missing.pt' does not exist"),
    ],
)
def test_names_that_mean_nothing(name: str, pretrained: str, sentence: str) -> None:
    """One sentence each, with what was expected."""
    with pytest.raises(BadInput, match=sentence):
        load_model(name, pretrained)


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the package and the command that installs it."""
    monkeypatch.setattr(chinese_clip, "PACKAGE", "no_such_package")
    with pytest.raises(BadInput, match=re.escape("'no_such_package', which is not installed: pip install cn-clip==")):
        load_model(NAME, "random:0")


def test_checkpoint_of_another_architecture(checkpoint: Path) -> None:
    """Refused with the first parameter that does not fit."""
    with pytest.raises(BadInput, match=r"is no checkpoint of chinese-clip:ViT-B-16 .*parameters are missing, unknown"):
        load_model("chinese-clip:ViT-B-16", str(checkpoint))


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    """A file of something else is refused."""
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(BadInput, match=r"is no checkpoint of chinese-clip:RN50 \(found: KeyError"):
        load_model(NAME, str(tmp_path / "text.pt"))
