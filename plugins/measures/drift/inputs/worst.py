"""Searches for the input with the largest drift: images by mutating a grid of colours, texts by hypothesis with a target."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fixtures import truth
from fixtures.backends._torch import TorchEncoder
from fixtures.capability import Array, Encoder, Geometry, Tower
from fixtures.preprocessors._shared import normalise, to_8_bits
from fixtures.registry import backends
from plugins.measures.vectors.metrics import cosine_distance

if TYPE_CHECKING:
    from fixtures.models import Model

Grid = NDArray[np.uint8]  # [GRID, GRID, 3]: an image of GRID x GRID squares of one colour, always a small file
GRID = 28
POPULATION = 16
PRECISIONS = ("fp16", "bf16", "int8")


@dataclass
class Find:
    """The worst input of a search: a grid or a text, and its cosine distance to float64."""

    found_for: str  # the precision
    tower: Tower
    value: Grid | str
    distance: float


def pixels_of(grid: Grid, geometry: Geometry) -> Array:
    """Return the grid enlarged without smoothing and normalised, float32 [3, R, R]."""
    place = np.arange(geometry.size) * GRID // geometry.size
    return normalise(grid[place][:, place], geometry)


def grid_of(pixels: Array, geometry: Geometry) -> Grid:
    """Return a grid from float32 pixels [3, R, R], with the centre pixel of each square."""
    place = (np.arange(GRID) * 2 + 1) * pixels.shape[1] // (2 * GRID)
    return np.asarray(to_8_bits(pixels, geometry)[place][:, place], np.uint8)


def encoder_of(model: "Model", precision: str) -> Encoder:
    """Return the reference's encoder at a precision, on the CPU; int8 is emulated, as for the tolerances."""
    import torch

    if precision == "int8":
        return TorchEncoder(truth.emulate_int8(model.module(), model.projections), "cpu", torch.float32)
    return backends()["torch-eager"].load(model, precision, "cpu")


class Distance:
    """Cosine distance of an encoder to float64, per input; int8 runs at batch 1, because a batch shares activation ranges."""

    def __init__(self, model: "Model", precision: str) -> None:
        import torch

        self.model, self.cell = model, encoder_of(model, precision)
        self.exact = TorchEncoder(model.module().double(), "cpu", torch.float64)
        self.step = 1 if precision == "int8" else POPULATION

    def __call__(self, batch: Any, tower: Tower) -> NDArray[np.float64]:
        """Return the distances [N]; an embedding that is not finite has distance 2, the opposite direction."""
        parts = [batch[i : i + self.step] for i in range(0, len(batch), self.step)]
        found = np.concatenate([self.cell.encode(part, tower) for part in parts])
        wanted = self.exact.forward(self.exact.upload(batch, tower), tower).numpy()
        distances = cosine_distance(found, wanted)
        return np.where(np.isfinite(distances), distances, 2.0)


def search_image(measure: "Distance", precision: str, start: Sequence[Grid], steps: int, seed: int = 0) -> Find:
    """Return the worst image of an evolutionary search: each step keeps the worst POPULATION of grids and their mutants."""
    rng = np.random.default_rng(seed)
    random = [rng.integers(0, 256, (GRID, GRID, 3), dtype=np.uint8) for _ in range(max(2, POPULATION - len(start)))]
    grids = [*start, *random]

    def rated(candidates: Sequence[Grid]) -> list[tuple[float, Grid]]:
        pixels = np.stack([pixels_of(grid, measure.model.geometry) for grid in candidates])
        return list(zip(measure(pixels, "image").tolist(), candidates, strict=True))

    kept = sorted(rated(grids), key=lambda pair: -pair[0])[:POPULATION]
    for _ in range(steps):
        mutants = [mutate(kept[int(rng.integers(len(kept)))][1], kept[int(rng.integers(len(kept)))][1], rng) for _ in kept]
        kept = sorted([*kept, *rated(mutants)], key=lambda pair: -pair[0])[:POPULATION]
    return Find(precision, "image", kept[0][1], kept[0][0])


def mutate(grid: Grid, other: Grid, rng: np.random.Generator) -> Grid:
    """Return a mutant: with a patch of one colour, a patch of another grid, noise, other contrast, or permuted channels."""
    result = grid.astype(np.float64)
    top, left = rng.integers(0, GRID, 2)
    bottom, right = (int(start + 1 + rng.integers(GRID)) for start in (top, left))
    patch = (slice(top, bottom), slice(left, right))
    kind = int(rng.integers(5))
    if kind == 0:
        result[patch] = rng.integers(0, 256, 3)
    elif kind == 1:
        result[patch] = other[patch]
    elif kind == 2:
        result += rng.normal(0, 2.0 ** rng.integers(1, 7), result.shape)
    elif kind == 3:
        result = (result - 127.5) * rng.choice([0.25, 0.5, 2.0, 4.0]) + 127.5 + rng.normal(0, 32)
    else:
        result = result[..., rng.permutation(3)]
    return np.asarray(np.rint(result).clip(0, 255), np.uint8)


def search_text(measure: "Distance", precision: str, start: Sequence[str], words: Sequence[str], examples: int) -> Find:
    """Return the worst text: hypothesis maximises the drift of lists of the data set's words and random characters.

    The search is deterministic.
    """
    from hypothesis import HealthCheck, Phase, given, settings, strategies, target

    best = Find(precision, "text", "", -1.0)

    def rate(text: str) -> float:
        distance = float(measure(measure.model.tokenize([text]), "text")[0])
        if distance > best.distance:
            best.value, best.distance = text, distance
        return distance

    for text in start:
        rate(text)
    assigned = strategies.characters(exclude_categories=("Cc", "Cn", "Co", "Cs"))  # characters that people can type
    word = strategies.one_of(strategies.sampled_from(list(words)), strategies.text(assigned, max_size=6))

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate, Phase.target),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategies.lists(word, max_size=24).map(" ".join))
    def climb(text: str) -> None:
        target(math.log10(max(rate(text), 1e-18)))

    climb()
    return best


def inputs(model: "Model", tower: Tower, values: Sequence[Any]) -> Any:
    """Return pixels of grids [N, 3, R, R], or tokens of texts [N, L]."""
    if tower == "text":
        return model.tokenize(list(values))
    return np.stack([pixels_of(grid, model.geometry) for grid in values])
