"""The default model as files, in the forms that the peers read: ONNX, a folder of open_clip's, folders of transformers'."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fixtures.backends._onnx import onnx_files
from fixtures.backends._transformers import clip_model
from fixtures.capability import TOWERS
from fixtures.models import DEFAULT, Model, load_model

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT = "a photo of a red circle on a blue square"
PARTS: "Mapping[str, str]" = {"image": "vision", "text": "text"}  # transformers' names of the towers


def prepare(folder: Path) -> None:
    """Write `onnx/` (our own export, a file a tower), `open_clip/`, `transformers/` (`clip` is the whole model, `image` and
    `text` are a tower each) and `inputs/` (float32 [1, 3, R, R] and int64 [1, L], as .npy)."""
    model = load_model(DEFAULT, "")
    exported, _ = onnx_files(model, "fp32")
    for kind in ("onnx", "open_clip", "transformers", "inputs"):
        (folder / kind).mkdir(parents=True)
    for tower in TOWERS:
        shutil.copy(exported / model.onnx_file(tower, "fp32"), folder / "onnx" / f"{tower}.onnx")
    open_clip_folder(model, folder / "open_clip")
    _transformers(model, folder / "transformers")
    pixels = np.random.default_rng(0).random((1, 3, model.resolution, model.resolution), np.float32)
    np.save(folder / "inputs" / "image.npy", pixels)
    np.save(folder / "inputs" / "text.npy", model.tokenize([TEXT]))


def open_clip_folder(model: Model, folder: Path) -> None:
    """Write what open_clip reads as `local-dir:FOLDER` to an existing folder: configuration and weights."""
    import open_clip
    from safetensors.torch import save_file

    config = {"model_cfg": open_clip.get_model_config(model.architecture), "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file({name: tensor.contiguous() for name, tensor in model.state.items()}, folder / "open_clip_model.safetensors")


def _transformers(model: Model, folder: Path) -> None:
    """A tower alone has no projection: CLIPVisionModel and CLIPTextModel are what a feature extraction loads."""
    import transformers

    clip = clip_model(model, "sdpa")
    clip.save_pretrained(folder / "clip")
    for tower, part in PARTS.items():
        alone = getattr(transformers, f"CLIP{part.title()}Model")(getattr(clip.config, f"{part}_config"))
        weights = getattr(clip, f"{part}_model").state_dict()
        prefix = "" if alone.state_dict().keys() == weights.keys() else f"{part}_model."  # transformers 4 has it
        alone.load_state_dict({f"{prefix}{name}": tensor for name, tensor in weights.items()})
        alone.save_pretrained(folder / tower)
