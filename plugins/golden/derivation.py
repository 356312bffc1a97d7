"""Where tolerances come from: the reference's own error at each precision, measured, times a factor, plus a floor."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from fixtures import truth
from fixtures.capability import Array, Geometry, Preprocessor, Tower
from fixtures.images import decoded
from fixtures.progress import say
from fixtures.registry import preprocessors
from fixtures.truth import PRECISIONS, REFERENCE, SAMPLE
from plugins.cells.given_back import CannotRun
from plugins.cells.made import made_pixels
from plugins.cells.pixels import CannotRead
from plugins.cells.traits import excused_traits
from plugins.golden.verified import OPAQUE, names_of
from plugins.measures.vectors.metrics import METRICS, PIXEL_METRICS, absolute_difference, cosine_distance
from plugins.subjects import Subjects

Progress = Callable[[Iterable[int]], Iterable[int]]
# int8's is larger because a batch shares its activation ranges, and the measurement is made at batch 1.
FACTOR = {"fp32": 3.0, "tf32": 3.0, "fp16-output": 1.5, "fp16": 3.0, "bf16": 3.0, "int8": 4.0, "int8-rows": 4.0}
RELATIVE_FLOOR = 2.0**-18  # 64 units in the last place of fp32: other kernels, instruction sets and thread counts
TOLERANCE_RULE = (
    "limit = factor x largest error of torch eager at this precision (int8, tf32: emulated) against float64 over the golden "
    "inputs + floor; floor = what a relative error of 2^-18 of the embedding's norm can cause; an odd file or text whose own "
    "error is larger than that of every scene or query has a limit of its own, by the same rule; a model of over 50 million "
    f"parameters is measured on {SAMPLE} evenly spaced scenes and queries, and on all odd files and texts; norm_ratio is one "
    "signed number an input, and the largest of a few is small by chance, which it is not on another processor: of fewer than "
    f"{SAMPLE} scenes or queries it is the largest of these and all odd ones, n together, and for n < {SAMPLE} its factor is "
    f"widened by q({SAMPLE}) / q(n), where 99 of 100 times the largest of n normal errors is over q(n) standard deviations"
)
BARE = re.compile(r"[A-Za-z0-9_-]+")  # keys of TOML without quotes
SURE = 0.99
BUDGET_FACTOR = 1.25
BUDGET_RULE = (
    "limit = 1.25 x the largest difference from the reference that this definition makes on the golden opaque images, plus one "
    "8-bit level for pixels and the fp32 floor for embeddings: other versions may round differently, not resample; a made file "
    "on which this definition goes beyond its limit has an exception, by the same rule"
)

STAND_INS = "No image is opaque: measured on all as RGB, without their transparency, palette and orientation."


def tolerances(subjects: Subjects, inputs: dict[Tower, Any], exact: dict[Tower, np.ndarray], progress: Progress) -> str:
    """The text of tolerances.toml, without its tables of devices."""
    head = [
        f"# {TOLERANCE_RULE}",
        "# Recompute: pytest --update-golden. Tighten by hand if you like; loosening shows in the diff.",
    ]
    return "\n".join([*head, tables(subjects, inputs, exact, progress, PRECISIONS)]) + "\n"


def measured_rows(subjects: Subjects, tower: Tower) -> tuple[list[int], int]:
    """The inputs that tolerances are measured on: so many scenes or queries come first, then all odd ones."""
    searched = len(subjects.dataset.scenes if tower == "image" else subjects.dataset.queries)
    rows = truth.sample(subjects.model, searched)
    return [*rows, *range(searched, len(names_of(subjects, tower)))], len(rows)


def tables(
    subjects: Subjects,
    inputs: dict[Tower, Any],
    exact: dict[Tower, np.ndarray],
    progress: Progress,
    precisions: Sequence[str],
    device: str = "cpu",
) -> str:
    """Tables of limits from the errors that torch eager makes on `device`; another device's tables carry its name."""
    lines = []
    work: list[tuple[str, Tower]] = [(precision, tower) for precision in precisions for tower in inputs]
    for step in progress(range(len(work))):
        precision, tower = work[step]
        where = f"{precision}.{tower}" if device == "cpu" else f"{precision}.{tower}.{device}"
        everything, (rows, usual) = names_of(subjects, tower), measured_rows(subjects, tower)
        names = [everything[i] for i in rows]
        found = truth.at_precision(subjects.model, precision, inputs[tower][rows], tower, device)
        errors = {name: metric(found, exact[tower][rows]) for name, metric in METRICS.items()}
        rules = {name: (FACTOR[precision], _floor(name, exact[tower])) for name in METRICS}
        most = {name: float(values[:usual].max()) for name, values in errors.items()}
        if usual < SAMPLE:
            most["norm_ratio"] = float(errors["norm_ratio"].max())
            rules["norm_ratio"] = (round(FACTOR[precision] * widening(len(rows)), 2), rules["norm_ratio"][1])
        lines += [f"\n[{where}]", *(_row(name, most[name], *rules[name]) for name in METRICS)]
        for i in range(usual, len(names)):
            worse = [name for name in METRICS if errors[name][i] > most[name]]
            if worse:
                lines.append(f"[{where}.exceptions.{_quoted(names[i])}]")
                lines += [_row(name, float(errors[name][i]), *rules[name]) for name in worse]
    return "\n".join(lines)


def widening(n: int) -> float:
    """How many times as wide as of SAMPLE inputs a limit on the largest of n signed errors has to be; 1 from SAMPLE on.

    The other metrics sum over the D values of an embedding: from input to input they hardly change (by 3 to 20 % in
    Chinese-CLIP's RN50, whose norm_ratio changes by 75 %, as normal errors do), and FACTOR is more than that.
    Source: the distribution of the largest of n draws is F(x)^n (David and Nagaraja, "Order Statistics", section 2.1);
    a normal error's absolute value has F(x) = 2 Phi(x) - 1.
    """

    def surely(count: int) -> float:
        return NormalDist().inv_cdf((1 + (1 - SURE) ** (1 / count)) / 2)

    return surely(SAMPLE) / surely(min(n, SAMPLE))


def one_level(geometry: Geometry) -> float:
    """One 8-bit level in normalised units, of the channel where it is largest."""
    return 1 / 255 / min(geometry.std)


def _floor(metric: str, vectors: np.ndarray) -> float:
    norm = float(np.linalg.norm(vectors, axis=1).max())
    floors: dict[str, float] = {
        "cosine_distance": RELATIVE_FLOOR**2 / 2,
        "norm_ratio": RELATIVE_FLOOR,
        "max_abs": RELATIVE_FLOOR * norm,
        "mean_abs": RELATIVE_FLOOR * norm / np.sqrt(vectors.shape[1]),
    }
    return floors[metric]


def _row(name: str, measured: float, factor: float, floor: float) -> str:
    limit = factor * measured + floor
    return f"{name} = {{ limit = {limit:.3e}, measured = {measured:.3e}, factor = {factor}, floor = {floor:.3e} }}"


def _quoted(name: str) -> str:
    """A key of TOML with any characters."""
    return json.dumps(name, ensure_ascii=False)


def _key(name: str) -> str:
    """A key of TOML, in quotes where it needs them: a preprocessor's name may have a dot, which would begin a table within."""
    return name if BARE.fullmatch(name) else _quoted(name)


def budgets(subjects: Subjects, names: list[str], progress: Progress) -> str:
    """The text of preprocessing.toml: a row for each preprocessor that promises the reference's pixels on opaque images."""
    images = subjects.dataset.images
    opaque = [name for name in images if subjects.trait(name) == "opaque"]
    usable = opaque or list(images)
    measured = [usable[i] for i in truth.sample(subjects.model, len(usable))]
    shown = [name for name in names if name in usable] or measured
    pixels = _pixels if opaque else _stand_ins
    wanted = pixels(subjects, REFERENCE, shown)
    golden = _encode(subjects, pixels(subjects, REFERENCE, measured))
    lines = [f"# {BUDGET_RULE}", "# Recompute: pytest --update-golden.", *([] if opaque else [f"# {STAND_INS}"])]
    good = [p for p in preprocessors().values() if OPAQUE not in p.failures(subjects.model.geometry.squash)]
    good.sort(key=_outside)  # the suite's own first: no budget may be wider than theirs
    widest: dict[str, float] = {}
    level = one_level(subjects.model.geometry)
    widest_on: dict[str, dict[str, float]] = {}  # the same on each made file
    for step in progress(range(len(good))):
        preprocessor = good[step]
        try:
            found = pixels(subjects, preprocessor.name, shown)
            drift = float(cosine_distance(_encode(subjects, pixels(subjects, preprocessor.name, measured)), golden).max())
        except (CannotRead, CannotRun) as reason:
            say(f"no budget for {preprocessor.name}: {reason}")
            continue
        differences = [absolute_difference(a, b) for a, b in zip(found, wanted, strict=True)]
        measured_by: dict[str, float] = {name: float(np.max([row[name] for row in differences])) for name in PIXEL_METRICS}
        measured_by["cosine_distance"] = drift
        if not _outside(preprocessor):
            widest = {name: max(widest.get(name, 0.0), most) for name, most in measured_by.items()}
        elif farther := too_far(measured_by, widest):
            say(f"no budget for {preprocessor.name}: {farther}: mend it, or declare {OPAQUE}")
            continue
        lines.append(f"\n[{_key(preprocessor.name)}]")
        for name, most in measured_by.items():
            floor = RELATIVE_FLOOR**2 / 2 if name == "cosine_distance" else level
            lines.append(_row(name, *((0.0, BUDGET_FACTOR, 0.0) if preprocessor.exact else (most, BUDGET_FACTOR, floor))))
        if not preprocessor.exact:
            lines += _exceptions(subjects, preprocessor, measured_by, widest_on)
    return "\n".join(lines) + "\n"


def _exceptions(
    subjects: Subjects, preprocessor: Preprocessor, usual: Mapping[str, float], widest_on: dict[str, dict[str, float]]
) -> list[str]:
    """The made files on which a preprocessor goes beyond its budget, though it does not declare to differ on their kind.

    One from outside gets none where it is farther from the reference than any of the suite's own, which come first.
    """
    excused, lines = excused_traits(preprocessor, subjects.model.geometry), list[str]()
    level = one_level(subjects.model.geometry)
    for file, pixels in made_pixels(subjects, preprocessor):
        if isinstance(pixels, Exception) or not excused.isdisjoint(file.traits):
            continue
        differences = absolute_difference(pixels, file.wanted)
        found: dict[str, float] = {metric: differences[metric] for metric in PIXEL_METRICS}
        before = widest_on.setdefault(file.name, {})
        if not _outside(preprocessor):
            widest_on[file.name] = {metric: max(before.get(metric, 0.0), most) for metric, most in found.items()}
        elif too_far(found, {**dict.fromkeys(found, 0.0), **before}):
            continue
        if all(found[metric] <= BUDGET_FACTOR * usual[metric] + level for metric in PIXEL_METRICS):
            continue
        lines.append(f"\n[{_key(preprocessor.name)}.exceptions.{_quoted(file.name)}]")
        lines += [_row(metric, most, BUDGET_FACTOR, level) for metric, most in found.items()]
    return lines


def too_far(found: Mapping[str, float], widest: Mapping[str, float]) -> str:
    """What is NaN or exceeds the largest difference that the suite's own preprocessors make, by metric; "" if nothing does."""
    farther = [f"{name} is {most:.3g}, at most {widest[name]:.3g}" for name, most in found.items() if not most <= widest[name]]
    return f"farther from the reference than any of the suite's own ({'; '.join(farther)})" if farther else ""


def _outside(preprocessor: Preprocessor) -> bool:
    """True for a preprocessor that is not of the suite itself."""
    return not type(preprocessor).__module__.startswith("fixtures.preprocessors.")


def _pixels(subjects: Subjects, preprocessor: str, names: list[str]) -> Array:
    return subjects.pixels(preprocessor).rows(subjects.dataset.rows(names))


def _stand_ins(subjects: Subjects, preprocessor: str, names: list[str]) -> Array:
    """Pixels of what the images would be if they were RGB and not turned."""
    chosen, geometry, found = subjects.preprocessor(preprocessor), subjects.model.geometry, []
    for name in names:
        image = decoded(subjects.dataset.path(name)).convert("RGB")
        found.append(chosen.transform(chosen.from_pil(image), geometry))
    return np.stack(found)


def _encode(subjects: Subjects, pixels: Array) -> Array:
    return truth.reference(subjects.model, pixels, "image", iter)
