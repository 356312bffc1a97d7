"""A small SigLIP with random weights, and models whose reference code has a fault; as a plug-in, `--model planted:FAULT`."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fixtures.capability import Family, Geometry, Tokens
from fixtures.models import Model
from fixtures.models.similarity import Similarity
from fixtures.registry import families
from suites.studies.families.folders import open_clip_folder

WEIGHTS, CONTEXT = "random:0", 64
CONFIG: dict[str, Any] = {
    "embed_dim": 64,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": {"image_size": 160, "timm_model_name": "test_vit", "timm_pool": "map", "timm_proj": "none"},
    "text_cfg": {
        **{"context_length": CONTEXT, "vocab_size": 300, "width": 64, "heads": 2, "layers": 1, "pool_type": "last"},
        **{"hf_tokenizer_name": "beside it", "tokenizer_kwargs": {"clean": "canonicalize"}},
        **{"no_causal_mask": True, "proj_bias": True, "norm_kwargs": {"eps": 1e-6}},
    },
}
PICTURES = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}


def small_siglip(folder: Path) -> str:
    """Its name, after its files are written to a folder."""
    return open_clip_folder(folder, CONFIG, PICTURES)


class ProjectsTwice(Model):
    """Its text tower's projection is part of the features that it projects again."""

    def module(self, precision: str = "fp32") -> Any:
        """The embedding once more through the last matrix."""
        module = super().module(precision)
        encode = module.encode_text
        module.encode_text = lambda *args, **more: module.text.text_projection(encode(*args, **more))
        return module


class PadsToTheLongest(Model):
    """As a tokeniser does by default."""

    def tokenize(self, texts: list[str]) -> Tokens:
        """Rows as long as the longest text of the call."""
        rows = super().tokenize(texts)
        longest = max(int(np.argmax(row == row[-1])) for row in rows) + 1
        return np.ascontiguousarray(rows[:, :longest])


class KeepsCase(Model):
    """Its tokeniser is called without what cleans texts before."""

    def tokenize(self, texts: list[str]) -> Tokens:
        """The tokeniser's own rows."""
        more = {"padding": "max_length", "truncation": True, "max_length": CONTEXT, "return_tensors": "np"}
        return np.asarray(self._tokenizer.tokenizer(texts, **more).input_ids, np.int64)


class KeepsNoEnd(Model):
    """Long texts are cut after their end was added."""

    def tokenize(self, texts: list[str]) -> Tokens:
        """Without </s> where a text is too long."""
        rows = super().tokenize(texts)
        full = rows[:, -2] != rows[:, -1]
        rows[full, -1] = rows[full, -2]
        return rows


class TakesSoftmax(Model):
    """Texts of one image are compared with each other, as CLIP does."""

    @property
    def similarity(self) -> Similarity:
        """Without the bias."""
        return replace(super().similarity, bias=None)


def _pictures(**changed: Any) -> type[Model]:
    class Prepares(Model):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.geometry = replace(self.geometry, **changed)

    return Prepares


FAULTS: dict[str, type[Model]] = {
    "sound": Model,
    "projects-twice": ProjectsTwice,
    "pads-to-the-longest": PadsToTheLongest,
    "keeps-case": KeepsCase,
    "keeps-no-end": KeepsNoEnd,
    "takes-softmax": TakesSoftmax,
    "has-clips-mean": _pictures(mean=Geometry.mean, std=Geometry.std),
    "crops": _pictures(squash=False),
    "is-bilinear": _pictures(interpolation="bilinear"),
}


class Planted(Family):
    """`--model planted:FAULT --pretrained random:0`; its files are written to $PLANTED."""

    name = "planted"
    squash = True

    def load(self, name: str, pretrained: str) -> Model:
        """The small SigLIP, in the class that has the fault."""
        source = small_siglip(Path(os.environ["PLANTED"]))
        sound = families()["open_clip"].load(source, pretrained)
        kind = FAULTS[name.partition(":")[2]]
        return kind(name, pretrained, source, sound.state, sound.geometry, sound.embed_dim)


def pytest_configure() -> None:
    """Join the families."""
    families()["planted"] = Planted()
