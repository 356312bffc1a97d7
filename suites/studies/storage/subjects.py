"""What the study searches: each cell's vectors of the queries and of the gallery, of length 1."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from fixtures.capability import Array
from fixtures.cells import Cell, EncoderKey
from fixtures.progress import ProgressLine
from fixtures.truth import REFERENCE
from plugins.cells.given_back import BuildFailed, CannotRun
from plugins.golden.verified import load_golden
from plugins.measures.storage.gallery import Drawn, draw, unit
from plugins.measures.vectors.metrics import Float64, cosine_distance, normalised
from plugins.subjects import Subjects

GOLDEN = "golden"
CELLS = (
    ("onnxruntime", "fp32", REFERENCE),
    ("torch-eager", "bf16", REFERENCE),
    ("onnxruntime", "int8", REFERENCE),
    ("torch-eager", "fp32", "opencv-area"),
    ("torch-eager", "fp32", "opencv_based"),
    ("onnxruntime", "int8", "opencv_based"),
)
FEW = (CELLS[2], CELLS[5])  # of one encoder
HALVED = (CELLS[2], CELLS[4])  # one that drifts by its precision, and one by its preprocessor: half of a real index is theirs
SEED = 20261130


@dataclass(frozen=True)
class Scale:
    """How much is measured: items of the gallery, of all queries every such one, and the cells beside golden."""

    items: int
    every: int
    cells: Sequence[tuple[str, str, str]]


# Every so many: an odd number, because English and Chinese alternate.
FULL, QUICK = Scale(100_000, 5, CELLS), Scale(10_000, 13, FEW)


@dataclass(frozen=True)
class Vectors:
    """One cell's unit vectors, float64: of the queries [Q, D] and of the scenes [S, D]."""

    queries: Float64
    scenes: Float64


@dataclass(frozen=True)
class Searched:
    """Golden's and the cells' vectors by name, and the gallery that is drawn from golden's."""

    vectors: dict[str, Vectors]
    gallery: Drawn
    gold: Sequence[Sequence[int]]  # for each query, the scenes that it should find
    skipped: dict[str, str]  # cells that cannot run here, with the reason
    limits: tuple[float, float]  # fp32's tolerance of a query's and of an image's cosine distance to golden

    def items(self, cell: str) -> Array:
        """A cell's vectors of the gallery, float32 [N, D]."""
        return self._items[cell]

    @cached_property
    def _items(self) -> dict[str, Array]:
        own = {name: self.gallery.of(vectors.scenes) for name, vectors in self.vectors.items() if name != GOLDEN}
        return {name: unit(items) for name, items in {GOLDEN: self.gallery.items, **own}.items()}

    def queries(self, cell: str) -> Array:
        """A cell's vectors of the queries, float32 [Q, D]."""
        return unit(self.vectors[cell].queries)

    @cached_property
    def _near_golden(self) -> dict[str, bool]:
        """Whether a cell's vectors are within fp32 round-off of golden's."""
        golden = self.vectors[GOLDEN]
        drifts = {
            name: (cosine_distance(own.queries, golden.queries).max(), cosine_distance(own.scenes, golden.scenes).max())
            for name, own in self.vectors.items()
        }
        return {name: all(d <= limit for d, limit in zip(own, self.limits, strict=True)) for name, own in drifts.items()}

    def round_off(self, one: str, other: str) -> bool:
        """True if the vectors of both are within fp32 round-off of golden's, and so of each other's."""
        return self._near_golden[one] and self._near_golden[other]


def name_of(cell: tuple[str, str, str]) -> str:
    """The name of a cell in tables; the reference's preprocessor goes without saying."""
    backend, precision, preprocessor = cell
    return f"{backend} {precision}" + ("" if preprocessor == REFERENCE else f" {preprocessor}")


def searched(subjects: Subjects, scale: Scale) -> Searched:
    """Embed the data set with all cells, and draw the gallery; raises BadInput without golden data."""
    golden, dataset, line = load_golden(subjects), subjects.dataset, ProgressLine("vectors")
    texts, scenes = slice(0, len(dataset.queries), scale.every), slice(0, len(dataset.scenes))
    found = {GOLDEN: Vectors(normalised(golden.text[texts]), normalised(golden.image[scenes]))}
    skipped: dict[str, str] = {}
    for one in scale.cells:
        line.step(name_of(one))
        cell = Cell(EncoderKey(subjects.model_id, one[0], one[1], "cpu"), one[2])
        try:
            queries = subjects.text_embeddings(cell.encoder)[texts]
            found[name_of(one)] = Vectors(normalised(queries), normalised(subjects.image_embeddings(cell)[scenes]))
        except (CannotRun, BuildFailed) as reason:
            skipped[name_of(one)] = str(reason)
    subjects.end()
    line.finish()
    limits = [float(golden.limits("fp32", tower, "cosine_distance", [""])[0]) for tower in ("text", "image")]
    gallery = draw(found[GOLDEN].scenes, max(scale.items, len(dataset.scenes)), SEED)
    return Searched(found, gallery, dataset.gold_images[texts], skipped, (limits[0], limits[1]))
