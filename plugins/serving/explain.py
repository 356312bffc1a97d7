"""Which difference from the reference explains a service's wrong vectors: each known one is tried on the worst documents."""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fixtures import truth
from fixtures.capability import Array, Geometry, Tokens, Tower
from fixtures.images import decoded
from fixtures.models.frame import Frame
from fixtures.preprocessors._shared import crop_box, resampling
from plugins.measures.vectors.drift import Drift
from plugins.measures.vectors.metrics import cosine_distance
from plugins.subjects import Subjects

if TYPE_CHECKING:
    from PIL import Image

TRIED = 3  # documents
CLOSER = 0.05  # an explanation leaves at most this share of the distance to golden's vectors
Texts = Callable[[str], str]
TEXT_WAYS: Mapping[str, Texts] = {
    "lower case": str.lower,
    "upper case": str.upper,
    "without accents": lambda text: "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)),
    "in Unicode form NFC": lambda text: unicodedata.normalize("NFC", text),
    "in Unicode form NFD": lambda text: unicodedata.normalize("NFD", text),
    "in Unicode form NFKC": lambda text: unicodedata.normalize("NFKC", text),
    "with ASCII alone": lambda text: text.encode("ascii", "ignore").decode(),
    "with other characters as '?'": lambda text: text.encode("ascii", "replace").decode(),
    "read as Latin-1": lambda text: text.encode().decode("latin-1"),
    "without white space": lambda text: "".join(text.split()),
    "as 'a photo of a ...'": lambda text: f"a photo of a {text}",
    "as an empty text": lambda text: "",
}
CUTS = (8, 16, 20, 24, 32, 48, 52, 64, 76)  # tokens


def explanation(subjects: Subjects, drift: Drift, tower: Tower) -> str:
    """One line: which difference explains the worst vectors, or that no known one does."""
    shares = drift.comparison("cosine_distance").shares
    worst = [int(row) for row in np.argsort(-shares, kind="stable")[:TRIED] if shares[row] > 1]
    found, far = drift.found[worst], cosine_distance(drift.found[worst], drift.wanted[worst])
    if not np.isfinite(found).all():
        return "likely cause: vectors are not finite"
    ways = (_images if tower == "image" else _texts)(subjects, drift, worst)
    vectors = truth.reference(subjects.model, np.concatenate([*ways.values()]), tower, iter)
    parts = np.split(vectors, len(ways))
    tried = {name: float((cosine_distance(found, part) / far).max()) for name, part in zip(ways, parts, strict=True)}
    best = min(tried, key=lambda name: tried[name])
    if tried[best] > CLOSER:
        return f"none of {len(tried)} known ways to prepare {tower}s explains it: look at the encoder, or at two ways at once"
    return f"likely cause: it prepares {tower}s {best} (that explains {1 - tried[best]:.0%} of the distance on {len(worst)})"


def _texts(subjects: Subjects, drift: Drift, worst: list[int]) -> dict[str, Tokens]:
    texts = [subjects.dataset.texts[row] for row in worst]
    tokens = subjects.model.tokenize(texts)
    found = {name: subjects.model.tokenize([change(text) for text in texts]) for name, change in TEXT_WAYS.items()}
    length = tokens.shape[1]
    for most in CUTS:
        if most < length:
            found[f"cut to {most} tokens"] = np.stack([_cut(row, most, subjects.model.frame) for row in tokens])
    turned = {name: rows for name, rows in found.items() if not np.array_equal(rows, tokens)}
    return turned or {"as they are": tokens}


def _cut(row: Tokens, most: int, frame: Frame) -> Tokens:
    """The row with at most so many tokens, beginning and end among them."""
    return frame.row(frame.own(row)[: most - (frame.length - frame.room)])


def _images(subjects: Subjects, drift: Drift, worst: list[int]) -> dict[str, Array]:
    images = [decoded(subjects.dataset.path(drift.names[row])) for row in worst]
    geometry = subjects.model.geometry
    return {name: np.stack([prepare(image, geometry) for image in images]) for name, prepare in _ways().items()}


def _ways() -> dict[str, Callable[["Image.Image", Geometry], Array]]:
    from PIL import Image, ImageOps

    Resampling = Image.Resampling

    def way(**changed: Any) -> Callable[["Image.Image", Geometry], Array]:
        return lambda image, geometry: prepared(image, geometry, **changed)

    on = {colour: lambda image, colour=colour: _on(image, colour) for colour in ("white", "black")}
    return {
        "as the reference does": way(),
        "squashed to a square": way(squash=True),
        "cropped to a square": way(squash=False),
        "padded to a square": way(first=lambda image: ImageOps.pad(image.convert("RGB"), (max(image.size),) * 2)),
        "resized with bicubic interpolation": way(resample=Resampling.BICUBIC),
        "resized with bilinear interpolation": way(resample=Resampling.BILINEAR),
        "resized with Lanczos interpolation": way(resample=Resampling.LANCZOS),
        "resized to the nearest pixel": way(resample=Resampling.NEAREST),
        "resized without antialias (bilinear)": way(plain="bilinear"),
        "resized without antialias (bicubic)": way(plain="bicubic"),
        "resized as tensors of uint8 by torchvision, as fast image processors do": way(plain="uint8"),
        "with blue and red exchanged": way(last=lambda pixels: pixels[..., ::-1]),
        "squashed, with blue and red exchanged": way(squash=True, last=lambda pixels: pixels[..., ::-1]),
        "in grey": way(first=lambda image: image.convert("L")),
        "converted to RGB before they are resized": way(first=lambda image: image.convert("RGB")),
        "on white before they are resized": way(first=on["white"]),
        "on black before they are resized": way(first=on["black"]),
        "turned as their EXIF data say": way(first=ImageOps.exif_transpose),
        "normalised with CLIP's mean and std": way(mean=Geometry.mean, std=Geometry.std),
        "normalised with ImageNet's mean and std": way(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        "normalised with mean and std 0.5": way(mean=(0.5,) * 3, std=(0.5,) * 3),
        "scaled to 0..1 but not normalised": way(mean=(0.0,) * 3, std=(1.0,) * 3),
        "not scaled from 0..255": way(scale=1.0),
        "upside down": way(last=lambda pixels: pixels[::-1]),
        "mirrored": way(last=lambda pixels: pixels[:, ::-1]),
    }


def prepared(
    image: "Image.Image",
    geometry: Geometry,
    squash: bool | None = None,
    resample: Any = None,
    plain: str = "",
    first: Any = None,
    last: Any = None,
    mean: Any = None,
    std: Any = None,
    scale: float = 255.0,
) -> Array:
    """Pixels float32 [3, R, R] as the reference makes them, but for what is given."""
    import torch
    from torchvision.transforms.v2 import functional as steps

    image = first(image) if first else image
    geometry = geometry if squash is None else replace(geometry, squash=squash)
    new, (left, top) = crop_box(image.width, image.height, geometry)
    box = (left, top, left + geometry.size, top + geometry.size)
    if plain:
        tensor = torch.tensor(np.asarray(image.convert("RGB"))).permute(2, 0, 1)[None]
        if plain == "uint8":
            whole = steps.resize(tensor, new[::-1], steps.InterpolationMode(geometry.interpolation), antialias=True).float()
        else:
            whole = torch.nn.functional.interpolate(tensor.float(), new[::-1], mode=plain, align_corners=False)
            whole = whole.round().clamp(0, 255)
        pixels = whole[0].permute(1, 2, 0).numpy()[top : box[3], left : box[2]]
    else:
        resized = image.resize(new, resampling(geometry) if resample is None else resample)
        pixels = np.asarray(resized.crop(box).convert("RGB"), np.float32)
    pixels = last(pixels) if last else pixels
    mean, std = np.array(mean or geometry.mean), np.array(std or geometry.std)
    return np.ascontiguousarray(((pixels / scale - mean) / std).transpose(2, 0, 1), np.float32)


def _on(image: "Image.Image", colour: str) -> "Image.Image":
    from PIL import Image

    drawn = image.convert("RGBA")
    paper = Image.new("RGB", drawn.size, colour)
    paper.paste(drawn, mask=drawn)
    return paper
