"""A plug-in for inner runs that are about the suite and not about a model: one that computes next to nothing."""

import json
import tempfile
from pathlib import Path

from fixtures.capability import Family
from fixtures.models import Model
from fixtures.registry import families

NAME, WEIGHTS = "tiny:clip", "random:0"
CONFIG = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1},
}


class Tiny(Family):
    """`--model tiny:clip --pretrained random:0`."""

    name = "tiny"

    def load(self, name: str, pretrained: str) -> Model:
        """An architecture that open_clip gets to know now."""
        import open_clip

        if "tiny-clip" not in open_clip.list_models():
            with tempfile.TemporaryDirectory() as folder:  # open_clip reads the name from the file's name
                path = Path(folder) / "tiny-clip.json"
                path.write_text(json.dumps(CONFIG))
                open_clip.add_model_config(path)
        found = families()["open_clip"].load("tiny-clip", pretrained)
        return Model(name, pretrained, found.architecture, found.state, found.geometry, found.embed_dim)


def pytest_configure() -> None:
    """Join the families; a comparison's processes are warm at once."""
    from plugins.latency import fresh

    families()["tiny"] = Tiny()
    fresh.WARM_UP_S = 0.1
