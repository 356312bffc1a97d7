"""The files: the documents' two, a photograph of a camera's size, a sample of the data set, and the same as photographs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fixtures.datasets import Dataset
from fixtures.datasets.made import encoded, photograph
from fixtures.images import decoded
from fixtures.spaced import spaced
from plugins.measures.vectors.recall import Ints, gold_ranks

PNG, OPAQUE, JPEG, CAMERA = "2162×762 RGBA PNG", "the same, opaque", "640×425 JPEG", "12-megapixel JPEG"
DOCUMENTS = {PNG: "odd/rgba_2162x762.png", JPEG: "scene_000.jpg"}
SENSOR = (4, 3)  # width and height of a phone's photograph


@dataclass(frozen=True)
class Gallery:
    """Image files that queries search, and what each query should find among them."""

    name: str
    paths: list[str]
    queries: list[int]  # of Dataset.queries: those that show one of these images
    gold: list[list[int]]  # positions in `paths`

    def ranks(self, texts: np.ndarray, images: np.ndarray) -> Ints:
        """The rank of each query's best image [Q], of vectors of all texts and of this gallery's images [N, D]."""
        return gold_ranks(texts[self.queries], images, self.gold)


def opaque(path: str, folder: Path) -> str:
    """The same RGBA picture without any transparency, written to `folder`."""
    picture = decoded(path).copy()
    picture.putalpha(255)
    target = folder / "opaque.png"
    target.write_bytes(encoded(picture, "PNG"))
    return str(target)


def gallery(name: str, dataset: Dataset, scenes: list[int], paths: list[str]) -> Gallery:
    """A gallery of these scenes, which lie at `paths`."""
    place = {scene: position for position, scene in enumerate(scenes)}
    shown = {number: [place[scene] for scene in query.images if scene in place] for number, query in enumerate(dataset.queries)}
    queries = [number for number, gold in shown.items() if gold]
    return Gallery(name, paths, queries, [shown[number] for number in queries])


def of_dataset(dataset: Dataset, count: int) -> Gallery:
    """Scenes as they are."""
    scenes = spaced(len(dataset.scenes), count)
    return gallery("data set", dataset, scenes, [dataset.path(dataset.scenes[i]) for i in scenes])


def of_photographs(dataset: Dataset, count: int, folder: Path) -> Gallery:
    """Scenes, cut to a sensor's shape, enlarged to 12 megapixels, with a sensor's noise; written to `folder`."""
    scenes, paths = spaced(len(dataset.scenes), count), list[str]()
    for scene in scenes:
        picture = decoded(dataset.path(dataset.scenes[scene])).convert("RGB")
        width = min(picture.width, picture.height * SENSOR[0] // SENSOR[1])
        left = (picture.width - width) // 2
        paths.append(str(folder / f"{scene}.jpg"))
        Path(paths[-1]).write_bytes(photograph(picture.crop((left, 0, left + width, picture.height)), seed=scene))
    return gallery("photographs", dataset, scenes, paths)
