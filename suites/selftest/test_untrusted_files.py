"""What a stranger's checkpoint, folder, ONNX file or cache entry brings: no code of it runs, nothing outside it is read."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fixtures.errors import BadInput
from fixtures.models import Model, load_model
from fixtures.models._untrusted import check_folder, tensors_only
from suites.selftest.conftest import ROOT, Run

CLIPS = ("scenes-s", "chinese-clip:RN50")
SCENES = ROOT / "fixtures" / "models" / "scenes_s"


class Calls:
    """Pickled, it is an order to call `function`."""

    def __init__(self, function: Callable[..., object], *given: str) -> None:
        self.order = (function, given)

    def __reduce__(self) -> Any:
        return self.order


def orders(harm: Path) -> list[Calls]:
    """Each makes the file `harm` when it is obeyed."""
    return [Calls(os.system, f"touch {harm}"), Calls(eval, f"open({str(harm)!r}, 'w').write('x')")]


def refusal(call: Callable[[], object], *parts: str) -> None:
    """It ends in one sentence with all parts."""
    with pytest.raises(BadInput) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def save(what: object, path: Path, form: str) -> None:
    """As torch writes today, as it did before 1.6, or as pickle does by itself."""
    import torch

    if form.startswith("pickle"):
        path.write_bytes(pickle.dumps(what, int(form[-1])))
    else:
        torch.save(what, path, _use_new_zipfile_serialization=form == "zip")


@pytest.fixture(scope="module")
def model() -> Model:
    """The default model."""
    return load_model("scenes-s", "")


@pytest.fixture(scope="module")
def saved(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As save_pretrained writes it, in several shards."""
    from fixtures.backends._transformers import clip_model

    folder = tmp_path_factory.mktemp("hub") / "saved"
    clip_model(model, "sdpa").save_pretrained(folder, max_shard_size="8MB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    return Path(folder)


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    return Path(shutil.copytree(saved, tmp_path / "theirs" / "model"))


@pytest.mark.parametrize("form", ["zip", "legacy", "pickle0", "pickle2", "pickle5"])
@pytest.mark.parametrize("suffix", ["pt", "pth", "bin", "ckpt", "safetensors"])
def test_a_pickle_does_not_run(tmp_path: Path, suffix: str, form: str) -> None:
    """Whatever it is called and however it is written; and the orders do make the file when they are obeyed."""
    harm, path = tmp_path / "harm", tmp_path / f"evil.{suffix}"
    parts = (
        ("header", "check --model")
        if suffix == "safetensors" and form in ("zip", "legacy")
        else ("is a pickle", "save its state dict as .safetensors")
    )
    for name in CLIPS:
        for order in orders(harm):
            save({"state_dict": order}, path, form)
            refusal(partial(load_model, name, str(path)), str(path), "expected", *parts)
    assert not harm.exists()
    pickle.loads(pickle.dumps(orders(harm)[0]))
    assert harm.exists()


def test_nobody_can_ask_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a library that passes weights_only=False nor the variable with which people switch the refusal off."""
    import torch

    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    save(orders(tmp_path / "harm")[0], tmp_path / "evil.pt", "zip")

    def load(**wanted: bool) -> None:
        with tensors_only("evil.pt"):
            torch.load(tmp_path / "evil.pt", **wanted)

    refusal(load, "'evil.pt' is a pickle that calls posix.system when it is loaded; expected a file of tensors")
    refusal(lambda: load(weights_only=False), "calls posix.system")
    assert not (tmp_path / "harm").exists()
    assert os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1"
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


@pytest.mark.parametrize("name", CLIPS)
def test_torchscript(tmp_path: Path, name: str) -> None:
    """OpenAI's own files are TorchScript, which is a program: refused with the way to turn it into weights."""
    import torch

    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "ViT-B-32.pt"))
    refusal(lambda: load_model(name, f"{tmp_path}/ViT-B-32.pt"), "TorchScript", "whose code would run", "as .safetensors")


def test_what_the_sentence_says_to_do_works(model: Model, tmp_path: Path) -> None:
    """A state dict saved as .safetensors loads, in either family."""
    from safetensors.torch import save_file

    chinese = load_model("chinese-clip:RN50", "random:0")
    for clip, name in zip((model, chinese), CLIPS, strict=True):
        save_file({key: tensor.contiguous() for key, tensor in clip.state.items()}, tmp_path / "mine.safetensors")
        assert load_model(name, f"{tmp_path}/mine.safetensors").weights_sha256 == clip.weights_sha256


def test_the_run_ends_in_the_sentence(run: Run, tmp_path: Path) -> None:
    """Exit code 4, the sentence, and nothing that looks like a crash."""
    save({"state_dict": orders(tmp_path / "harm")[0]}, tmp_path / "evil.ckpt", "zip")
    given = ("--backend", "torch-eager", "--precision", "fp32", "--model", "scenes-s", f"--pretrained={tmp_path}/evil.ckpt")
    result = run("suites/embeddings/test_encoder.py", *given)
    assert result.returncode == 4
    assert "evil.ckpt' is a pickle that calls posix.system" in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert not (tmp_path / "harm").exists()


def test_a_pickle_in_a_folder_does_not_run(folder: Path) -> None:
    """Nor where transformers and open_clip find it by themselves."""
    for path in folder.glob("model*"):
        path.unlink()
    save({"weight": orders(folder / "harm")[0]}, folder / "pytorch_model.bin", "zip")
    config = {"model_cfg": json.loads((SCENES / "config.json").read_text()), "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    for name in (f"transformers:{folder}", f"local-dir:{folder}"):
        refusal(partial(load_model, name, ""), "is a pickle that calls posix.system", "expected a file of tensors")
    assert not (folder / "harm").exists()


def test_shards_inside(model: Model, folder: Path, tmp_path: Path) -> None:
    """A folder as it was saved loads; so does a snapshot of a hub's cache, whose files are links to blobs beside it."""
    assert load_model(f"transformers:{folder}", "").weights_sha256 == model.weights_sha256
    snapshot = tmp_path / "models--a--b" / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    folder.rename(snapshot.parent.parent / "blobs")
    for path in (snapshot.parent.parent / "blobs").iterdir():
        (snapshot / path.name).symlink_to(f"../../blobs/{path.name}")
    assert load_model(f"transformers:{snapshot}", "").weights_sha256 == model.weights_sha256


def test_a_kernel_that_a_folder_names(model: Model, folder: Path) -> None:
    """transformers fetches an attention that a configuration names as code of the hub, and runs it: ours is named instead."""
    config = json.loads((folder / "config.json").read_text())
    config["attn_implementation"] = "kernels-community/nobody"
    (folder / "config.json").write_text(json.dumps(config))
    assert load_model(f"transformers:{folder}", "").weights_sha256 == model.weights_sha256


@pytest.mark.parametrize("index", ["model.safetensors.index.json", "pytorch_model.bin.index.json"])
@pytest.mark.parametrize("way", ["../model-00001.safetensors", "{outside}", "sub/../../model-00001.safetensors"])
def test_shards_outside(folder: Path, index: str, way: str) -> None:
    """A shard by a path upwards or an absolute one is refused, though the file is there and is what it should be."""
    stored = folder / "model.safetensors.index.json"
    found = json.loads(stored.read_text())
    first = min(set(found["weight_map"].values()))
    outside = folder.parent / "model-00001.safetensors"
    (folder / first).rename(outside)
    stored.unlink()
    shard = way.format(outside=outside)
    found["weight_map"] = {key: shard if value == first else value for key, value in found["weight_map"].items()}
    (folder / index).write_text(json.dumps(found))
    refusal(lambda: load_model(f"transformers:{folder}", ""), f"{index} names the shard '{shard}'", "outside the folder")


def test_links_outside(folder: Path) -> None:
    """A link out of the folder is refused by both families that take folders; one within it is not."""
    path = min(folder.glob("*.safetensors"))
    path.rename(folder / "inside")
    path.symlink_to("inside")
    check_folder(folder)
    path.unlink()
    (folder / "inside").rename(folder.parent / "outside")
    path.symlink_to("../outside")
    for name in (f"transformers:{folder}", f"local-dir:{folder}"):
        refusal(partial(load_model, name, ""), f"{path.name} is a link to a place outside", "copy the file into it")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("adapter_config.json", {"base_model_name_or_path": "../other"}),
        ("open_clip_config.json", {"model_cfg": {"text_cfg": {"hf_model_name": "/srv/other"}}}),
        ("open_clip_config.json", {"model_cfg": {"vision_cfg": {"timm_model_name": "local-dir:../other"}}}),
    ],
)
def test_models_outside(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Nor may a folder's configuration name a model elsewhere on this machine."""
    (folder / name).write_text(json.dumps(content))
    refusal(lambda: load_model(f"transformers:{folder}", ""), f"{name} has the", "outside the folder")
    (folder / name).write_text("[]")
    refusal(lambda: check_folder(folder), f"{name} holds a list, expected a JSON object")
    (folder / name).write_text("{")
    refusal(lambda: check_folder(folder), f"{name} cannot be read", "expected a JSON object")
