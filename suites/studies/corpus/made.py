"""What the proof compares: scenes that are drawn once, and a small CLIP whose checkpoint any process can load."""

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from fixtures.machine.devices import cores
from fixtures.progress import ProgressLine

SIZE = (160, 106)  # pixels of a scene
SEED = 20261130
FOLDER = 1000  # scenes in one
MODEL = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1},
}


def scenes(folder: Path, count: int, assets: Path) -> None:
    """Draw so many scenes of one to three things below the folder; those that are there are kept. `assets` has the sprites."""
    names = [f"{number // FOLDER:03d}/scene_{number:06d}.jpg" for number in range(count)]
    left = [(folder / name, number, assets) for number, name in enumerate(names) if not (folder / name).exists()]
    for parent in {file.parent for file, _, _ in left}:
        parent.mkdir(parents=True, exist_ok=True)
    line = ProgressLine("drawing scenes")
    with ProcessPoolExecutor(cores()) as pool:
        for done, _ in enumerate(pool.map(_draw, left, chunksize=50), 1):
            line.step(f"{done} of {len(left)}")
    line.finish()


def _draw(asked: tuple[Path, int, Path]) -> None:
    from fixtures.datasets.made import encoded
    from fixtures.datasets.scenes.render import Artist
    from fixtures.datasets.scenes.sprites import concepts
    from fixtures.storage.atomic import write_bytes

    file, number, assets = asked
    artist, things = Artist(assets, SEED), concepts()
    artist.rng = np.random.default_rng((SEED, number))
    shown = artist.rng.choice(len(things), 1 + number % 3, replace=False)
    write_bytes(file, encoded(artist.scene([things[thing] for thing in shown], SIZE), "JPEG", quality=80))


def checkpoint(folder: Path) -> str:
    """Write a CLIP with random weights, and return the `--model` that names it. It computes next to nothing."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    if not (folder / "open_clip_config.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(SEED)
        state = open_clip.CLIP(**MODEL).state_dict()
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "open_clip_model.safetensors")
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": MODEL, "preprocess_cfg": {}}))
    return f"local-dir:{folder}"
