"""The smallest member of each family, smallest first, and Chinese-CLIP's three large ones; all with random weights."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from suites.studies.families.folders import hub_folder, open_clip_folder, released

WEIGHTS = "random:0"


@dataclass(frozen=True)
class Member:
    """`name` is open_clip's architecture, a class of transformers, or a name that needs no files; `write` makes its files."""

    family: str
    name: str
    write: Callable[[str, Path], str]

    def model(self, folder: Path) -> str:
        """Write its files, if it needs any, to a folder, and return what `--model` takes."""
        return self.write(self.name, folder)


def _as_it_is(name: str, folder: Path) -> str:
    return name


def _open_clip(name: str, folder: Path) -> str:
    """A folder for the released configuration, where the tokeniser would be the hub's."""
    model, preprocessing = released(name)
    return open_clip_folder(folder, model, preprocessing) if model["text_cfg"].get("hf_tokenizer_name") else name


def _transformers(name: str, folder: Path) -> str:
    """A folder for the class's own configuration, which is its base size."""
    import transformers

    return hub_folder(folder, getattr(transformers, name.replace("Model", "Config"))())


MEMBERS = (
    Member("MobileCLIP 2", "MobileCLIP2-S0", _open_clip),
    Member("MobileCLIP", "MobileCLIP-S1", _open_clip),
    Member("EVA-02", "EVA02-B-16", _open_clip),
    Member("DFN", "ViT-B-16-quickgelu", _open_clip),
    Member("MetaCLIP", "ViT-B-32-quickgelu", _open_clip),
    Member("CLIP in transformers", "CLIPModel", _transformers),
    Member("SigLIP", "ViT-B-16-SigLIP", _open_clip),
    Member("SigLIP in transformers", "SiglipModel", _transformers),
    Member("SigLIP 2", "ViT-B-32-SigLIP2-256", _open_clip),
    Member("Chinese-CLIP", "chinese-clip:ViT-L-14", _as_it_is),
    Member("Chinese-CLIP", "chinese-clip:ViT-L-14-336", _as_it_is),
    Member("Chinese-CLIP", "chinese-clip:ViT-H-14", _as_it_is),
)
