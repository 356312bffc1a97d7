"""Faults that only some kinds of image file show are found on the made files, and named by the file."""

import textwrap
from pathlib import Path

import pytest

from fixtures.datasets.made import made, writable
from fixtures.images import decoded
from suites.selftest.conftest import Run

THEIRS = """
    import io
    from PIL import Image, ImageCms, ImageOps
    from fixtures.preprocessors.original_clip import OriginalClip

    class ShrinksOnLoad(OriginalClip):
        name = "shrinks"

        def decode(self, path):
            super().decode(path)
            image = Image.open(path)
            image.draft("RGB", (640, 640))
            image.load()
            return image

    class ReducingGap(OriginalClip):
        name = "gap"

        def transform(self, decoded, geometry):
            if decoded.mode == "RGB" and min(decoded.size) > 4 * geometry.size:
                decoded = decoded.reduce(4)
            return super().transform(decoded, geometry)

    class UsesProfile(OriginalClip):
        name = "profile"

        def decode(self, path):
            image = super().decode(path)
            if image.mode == "RGB" and (profile := image.info.get("icc_profile")):
                image = ImageCms.profileToProfile(image, io.BytesIO(profile), ImageCms.createProfile("sRGB"))
            return image

    class Turns(OriginalClip):
        name = "turns"

        def decode(self, path):
            image = super().decode(path)
            return ImageOps.exif_transpose(image) if image.getexif().get(0x0112) == 5 else image

    class LastFrame(OriginalClip):
        name = "last-frame"

        def decode(self, path):
            super().decode(path)
            image = Image.open(path)
            image.seek(getattr(image, "n_frames", 1) - 1)
            return image

    class NoWebp(OriginalClip):
        name = "no-webp"

        def decode(self, path):
            if Image.open(path).format == "WEBP":
                raise OSError("format WebP is not supported")
            return super().decode(path)
"""
FOUND = {  # by preprocessor: the promises that break, and a file that one of them names
    "ShrinksOnLoad": ({"P3", "P7"}, "12 megapixels.jpg"),
    "ReducingGap": ({"P3"}, "12 megapixels.jpg"),
    "UsesProfile": ({"P3", "P7"}, "profile of other primaries"),
    "Turns": ({"P5", "P7"}, "orientation 5.jpg"),
    "LastFrame": ({"P3", "P7"}, "animation."),
    "NoWebp": ({"P14"}, "webp"),
}


def test_every_kind_once(dataset: Path) -> None:
    """Each file has a name of its own, and Pillow reads it."""
    picture = decoded(str(dataset / "images" / "scene_000.jpg"))
    files = dict(made(picture, 64))
    assert len(files) == len(list(made(picture, 64))) > 50
    assert {name.rpartition(".")[2] for name in files} >= {name.rpartition(".")[2] for name in writable()} | {"jpg"}


@pytest.mark.filterwarnings("ignore")
def test_found(run: Run, few: list[str], tmp_path: Path) -> None:
    """Each fault breaks its promises; the message names a file that shows it."""
    (tmp_path / "theirs.py").write_text(textwrap.dedent(THEIRS))
    chosen = [f"--preprocessor=theirs:{name}" for name in FOUND]
    tests = "test_opaque or test_orientation or test_sources or test_readable"
    done = run("suites/preprocessing", "-k", tests, *chosen, *few, env={"PYTHONPATH": str(tmp_path)})
    for name, (promises, file) in FOUND.items():
        broken = {line.split(" broken")[0] for line in _blocks(done.stdout) if f"in {_id(name)}\n" in line}
        assert broken >= promises, (name, broken, done.stdout[-6000:])
        assert any(file in block for block in _blocks(done.stdout) if f"in {_id(name)}\n" in block), (name, file)


def _id(name: str) -> str:
    return next(line.split('"')[1] for line in THEIRS.split(f"class {name}(")[1].splitlines() if "name = " in line)


def _blocks(output: str) -> list[str]:
    """What each failure says, from the promise on."""
    return [f"P{block}" for block in output.split("\nP")[1:] if " broken" in block[:12]]
