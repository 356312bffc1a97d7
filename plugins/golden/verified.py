"""Golden data: read, checked against the weights and inputs in use, and returned with their tolerances."""

import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fixtures import PYTEST
from fixtures.capability import Array, Geometry
from fixtures.datasets import DEFAULT as DEFAULT_DATASET
from fixtures.errors import BadInput
from fixtures.preprocessors._shared import normalise
from fixtures.progress import say
from fixtures.registry import preprocessors
from fixtures.storage.replace import previous, turn
from plugins.cells.shared import frozen, shared
from plugins.subjects import Subjects

COMMAND = f"{PYTEST} --update-golden"
OPAQUE = "P3"  # who declares that it breaks gives other pixels by design
DATA_SET = "data set"
TOLERANCES = "tolerances.toml"
NEEDED = ("weights_sha256", "dataset_sha256", "tokens_sha256", "pixel_names", "files")  # of manifest.json
SHOWN = 80  # characters of a text that messages show


class NoBudget(Exception):
    """Nothing says how far a preprocessor may be from the reference: its cells fail, whatever it declares."""


@dataclass(frozen=True)
class Golden:
    """The reference's vectors and the tolerances around them."""

    image: Array  # [N, D], raw, rows as Dataset.images
    text: Array  # [Q, D], raw, rows as Dataset.texts
    pixel_names: tuple[str, ...]
    pixels: Array  # [P, 3, R, R], the reference's pixels of `pixel_names`
    tolerances: dict[str, Any]
    preprocessing: dict[str, Any]
    squash: bool = False  # the model's geometry

    def on(self, device: str) -> "Golden":
        """The same with the device's own tolerances where some were derived on it (`--update-golden --device cuda`)."""
        own = {
            precision: {tower: table.get(device, table) for tower, table in towers.items()}
            for precision, towers in self.tolerances.items()
        }
        return replace(self, tolerances=own)

    def limits(self, precision: str, tower: str, metric: str, names: Sequence[str]) -> NDArray[np.float64]:
        """The tolerance of one precision for each input [N]; raises BadInput when none was derived."""
        try:
            table = self.tolerances[precision][tower]
            usual = float(table[metric]["limit"])
        except KeyError:
            raise BadInput(f"no tolerance for {precision}/{tower}/{metric}: run {COMMAND} to derive it") from None
        exceptions = table.get("exceptions", {})
        return np.array([float(exceptions.get(name, {}).get(metric, {"limit": usual})["limit"]) for name in names])

    def limits_of(self, precision: str, tower: str, metric: str, own: NDArray[np.float64]) -> NDArray[np.float64]:
        """The tolerance for inputs that are not golden's [N], whose own errors of the reference at this precision are `own`.

        By the rule of golden's tolerances, which has exceptions for odd files: an input with a larger error has a larger limit.
        """
        usual = self.limits(precision, tower, metric, [""] * len(own))
        rule = self.tolerances[precision][tower][metric]
        return np.maximum(usual, float(rule["factor"]) * own + float(rule["floor"]))

    def measured(self, precision: str, tower: str, metric: str) -> float:
        """The reference's own largest error at this precision; raises BadInput when none was derived."""
        self.limits(precision, tower, metric, [])
        return float(self.tolerances[precision][tower][metric]["measured"])

    def budget(self, preprocessor: str, metric: str, name: str = "") -> float:
        """A preprocessor's budget for a metric: its own row; 0 if it is exact; the widest of all if it is known to be bad.

        A made file of this `name` may have a wider one, which is an exception in the row.

        Raises NoBudget for any other one without a row.
        """
        rows, one = self.preprocessing, preprocessors()[preprocessor]
        if preprocessor in rows:
            exception = rows[preprocessor].get("exceptions", {}).get(name, {})
            return float(exception.get(metric, rows[preprocessor][metric])["limit"])
        if OPAQUE in one.failures(self.squash):
            return max(float(row[metric]["limit"]) for row in rows.values())
        if one.exact:
            return 0.0
        raise NoBudget(
            f"{preprocessor} has no budget: expected exact = True if it gives the reference's pixels bit for bit, or {OPAQUE} "
            f"among its known failures if it gives others by design, or a budget in golden data of your own: `{COMMAND} "
            f"--preprocessor {preprocessor} --golden=FOLDER` measures it"
        )


def folder(subjects: Subjects) -> Path:
    """The folder of this model's golden data for this data set."""
    dataset = subjects.dataset_folder
    suffix = "" if dataset.resolve() == DEFAULT_DATASET.resolve() else f"+{dataset.name}"
    return subjects.golden / f"{subjects.model_id}{suffix}"


def load_golden(subjects: Subjects) -> Golden:
    """Read and check golden data; raises BadInput in one sentence."""
    where, model, _ = folder(subjects), subjects.model, subjects.dataset  # their own errors first
    put_back(where)
    if not (where / "manifest.json").is_file():
        raise BadInput(f"no golden data in {where}: run `{_command(subjects)}` once to make them from torch eager fp32")
    trouble = damaged(where)
    if trouble:
        raise BadInput(f"{trouble}; restore it from git or run `{_command(subjects)}`")
    manifest = manifest_in(where)
    for what, known, used in others(manifest, subjects):
        raise BadInput(
            f"the {what} in use (SHA-256 {used[:12]}…) are not those that {where.name} golden was made from ({known[:12]}…): "
            f"use those, or run `{_command(subjects)}` if the change is intended"
        )
    vectors = vectors_in(where)
    names = tuple(manifest["pixel_names"])
    return Golden(
        frozen(vectors["image"]),
        frozen(vectors["text"]),
        names,
        shared(np.stack([_pixels(where / "pixels" / pixel_file(n), model.geometry) for n in names])),
        _read(where / TOLERANCES, _toml),
        _read(where / "preprocessing.toml", _toml),
        model.geometry.squash,
    )


def others(manifest: Mapping[str, Any], subjects: Subjects) -> Iterator[tuple[str, str, str]]:
    """What golden data with this manifest were made from and is other now: its name, and its SHA-256 then and now."""
    model, dataset = subjects.model, subjects.dataset
    if manifest["weights_sha256"] != model.weights_sha256:
        yield "weights", manifest["weights_sha256"], model.weights_sha256
    if manifest["dataset_sha256"] != dataset.sha256:
        dataset.check()  # a damaged image file is the likelier reason, and the clearer message
        yield DATA_SET, manifest["dataset_sha256"], dataset.sha256
    if "pictures" in manifest:  # golden data of before have none
        pictures = [json.dumps(each, sort_keys=True) for each in (manifest["pictures"], asdict(model.geometry))]
        known, used = (hashlib.sha256(each.encode()).hexdigest() for each in pictures)
        if known != used:
            yield "ways to prepare pictures", known, used
    tokens = hashlib.sha256(subjects.tokens.tobytes()).hexdigest()
    if manifest["tokens_sha256"] != tokens:
        yield "tokens of the tokeniser", manifest["tokens_sha256"], tokens


def put_back(where: Path) -> None:
    """Restore the previous golden data if a run was killed between the two renames that replace them."""
    if where.exists() or not previous(where).exists():
        return
    with turn(where):
        if where.exists() or not _whole(previous(where)):
            return
        previous(where).rename(where)
    say(f"golden data {where}: a run was killed while it replaced them; the previous ones are restored")


def _whole(where: Path) -> bool:
    try:
        return not damaged(where)
    except BadInput:
        return False


def damaged(where: Path) -> str:
    """What is wrong with a folder of golden data, as the start of a sentence; empty if every file matches its recorded hash."""
    for name, digest in manifest_in(where)["files"].items():
        path = where / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            hint = "" if name.endswith(".safetensors") else " (a tolerance changed by hand needs its new hash there)"
            return f"golden file {path} is damaged or was changed: expected SHA-256 {digest[:12]}… as in manifest.json{hint}"
    return ""


def pixel_file(image: str) -> str:
    """The file name of an image's reference pixels."""
    return image.replace("/", "_") + ".png"


def _pixels(path: Path, geometry: Geometry) -> Array:
    from PIL import Image

    with Image.open(path) as image:
        return normalise(np.asarray(image.convert("RGB")), geometry)


def manifest_in(where: Path) -> dict[str, Any]:
    """What golden data were made from; raises BadInput."""
    return cast(dict[str, Any], _read(where / "manifest.json", _manifest))


def _manifest(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    lacks = [name for name in NEEDED if name not in found]
    if lacks:
        raise ValueError(f"it has no {lacks[0]}")
    return cast(dict[str, Any], found)


def tolerances_in(where: Path) -> str:
    """The text of the tolerances; raises BadInput."""
    return cast(str, _read(where / TOLERANCES, lambda path: path.read_text(encoding="utf-8")))


def vectors_in(where: Path) -> dict[str, Array]:
    """The golden vectors by tower [N, D], and their errors against float64 by name [N]; raises BadInput."""
    from safetensors.numpy import load_file

    return cast(dict[str, Array], _read(where / "vectors.safetensors", lambda path: load_file(path)))


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _read(path: Path, how: Any) -> Any:
    try:
        return how(path)
    except Exception as error:  # the user needs the same sentence for any parser's error
        raise BadInput(f"golden file {path} cannot be read ({error}): restore it from git") from error


def _command(subjects: Subjects) -> str:
    return " ".join([COMMAND, *subjects.options])


def names_of(subjects: Subjects, tower: str) -> list[str]:
    """The names of the rows of a tower's golden vectors: image names, or the texts themselves."""
    if tower == "image":
        return list(subjects.dataset.images)
    names = [
        repr(text) if len(text) <= SHOWN else f"{text[:SHOWN]!r}… ({len(text)} characters)" for text in subjects.dataset.texts
    ]
    seen = Counter(names)  # long texts may begin alike
    return [name if seen[name] == 1 else f"{name[:-1]}, text {row})" for row, name in enumerate(names, 1)]
