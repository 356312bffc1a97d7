"""Made image files, with the reference's pixels of them, computed in this run."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fixtures.capability import Array, Preprocessor, installed
from fixtures.datasets import Trait, traits_of
from fixtures.datasets.made import made
from fixtures.images import decoded, opened
from fixtures.storage.cache import cached
from fixtures.truth import REFERENCE
from plugins.cells.pixels import checked
from plugins.cells.shared import frozen
from plugins.subjects import Subjects

VERSION = "1"  # of the generator: a higher one makes the files again


@dataclass(frozen=True)
class MadeFile:
    """An image file, its traits, and the reference's pixels of it [3, R, R]."""

    name: str
    path: str
    traits: tuple[Trait, ...]
    wanted: Array


def made_files(subjects: Subjects) -> list[MadeFile]:
    """All made files, from the data set's first scene; made once, and read by the reference once a run."""

    def make() -> list[MadeFile]:
        geometry, scene = subjects.model.geometry, subjects.dataset.path(subjects.dataset.scenes[0])
        reference = subjects.preprocessor(REFERENCE)

        def build(folder: Path) -> None:
            for name, content in made(decoded(scene), geometry.size):
                (folder / name).write_bytes(content)

        libraries = " ".join(f"{name} {installed(name)}" for name in ("pillow", "opencv-python-headless", "opencv-python"))
        what = {"kind": "images", "libraries": libraries, "size": str(geometry.size), "version": VERSION}
        folder, _ = cached({**what, "scene": hashlib.sha256(Path(scene).read_bytes()).hexdigest()}, build)
        files = []
        for path in sorted(folder.iterdir()):
            if path.suffix == ".json":  # the cache's own
                continue
            with opened(str(path)) as image:
                traits = traits_of(image, geometry)
            files.append(MadeFile(path.name, str(path), traits, reference(str(path), geometry)))
        return files

    return subjects.once("made files", make)


def made_pixels(subjects: Subjects, preprocessor: Preprocessor) -> list[tuple[MadeFile, Array | Exception]]:
    """A preprocessor's pixels of every made file, or why it has none; computed once a run."""
    geometry = subjects.model.geometry

    def pixels(file: MadeFile) -> Array | Exception:
        try:
            return frozen(checked(preprocessor(file.path, geometry), preprocessor, geometry))
        except Exception as error:
            return error

    return subjects.once(("made pixels", preprocessor.name), lambda: [(file, pixels(file)) for file in made_files(subjects)])
