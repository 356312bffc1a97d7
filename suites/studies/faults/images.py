"""Faults in pixels: each is the reference's preprocessor with one thing wrong; `s` is the strength."""

from typing import Any

import numpy as np

from fixtures.capability import Array, Geometry
from fixtures.preprocessors._shared import crop_box, levels, normalise
from suites.studies.faults.plants import Fault, pixels, preprocessor

CLIP = Geometry(224)  # of the model that the faults are planted in
IMAGENET = (np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32))
MEAN, STD = np.array(CLIP.mean, np.float32), np.array(CLIP.std, np.float32)
HALF = (np.full(3, 0.5, np.float32), np.full(3, 0.5, np.float32))


def _eight_bits(pixels: Array) -> Array:
    """Normalised [3, R, R] back to 0..1."""
    return levels(pixels, CLIP)


def _normalised(wanted: Array, mean: Array = MEAN, std: Array = STD) -> Array:
    return (wanted - mean[:, None, None]) / std[:, None, None]


def _box(image: Any, geometry: Geometry) -> tuple[tuple[int, int], tuple[int, int]]:
    width, height = image.size
    return crop_box(width, height, geometry)


def _cropped(image: Any, geometry: Geometry, resized: Any, offset: int = 0) -> Array:
    _, (left, top) = _box(image, geometry)
    box = (left + offset, top + offset, left + offset + geometry.size, top + offset + geometry.size)
    return normalise(np.asarray(resized.crop(box).convert("RGB")), geometry)


def _squashed(image: Any, geometry: Geometry, s: float) -> Array:
    """The shorter side to R, the longer one to a share `s` of its way to R as well."""
    from PIL import Image

    (width, height), size = _box(image, geometry)[0], geometry.size
    new = (round(width + s * (size - width)), round(height + s * (size - height)))
    resized = image.resize(new, Image.Resampling.BICUBIC)
    left, top = (new[0] - size) // 2, (new[1] - size) // 2
    return normalise(np.asarray(resized.crop((left, top, left + size, top + size)).convert("RGB")), geometry)


def _tensor_resize(image: Any, geometry: Geometry, s: bool) -> Array:
    """torchvision on a tensor of floats, antialias as `s`."""
    import torch
    from torchvision.transforms import functional as steps

    tensor = steps.to_tensor(image.convert("RGB"))
    new = steps.resize(tensor, [geometry.size], steps.InterpolationMode.BICUBIC, antialias=s)
    found = steps.center_crop(new, [geometry.size])
    return _normalised(torch.clamp(found, 0, 1).numpy())


def _opencv(image: Any, geometry: Geometry, s: str) -> Array:
    import cv2

    (width, height), (left, top) = _box(image, geometry)
    found = cv2.resize(np.asarray(image.convert("RGB")), (width, height), interpolation=getattr(cv2, s))
    return normalise(found[top : top + geometry.size, left : left + geometry.size], geometry)


def _levels_off(found: Array, s: float) -> Array:
    """A share `s` of all values one 8-bit level up."""
    whole = np.rint(_eight_bits(found) * 255)
    chosen = np.random.default_rng(0).permutation(whole.size)[: max(1, round(s * whole.size))]
    whole.reshape(-1)[chosen] += np.where(whole.reshape(-1)[chosen] < 255, 1, -1)
    return normalise(whole.transpose(1, 2, 0).astype(np.uint8), CLIP)


def _rescaled(found: Array, s: float) -> Array:
    return _normalised(_eight_bits(found) * np.float32(s))


def _turned(image: Any, s: None) -> Any:
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _flattened(image: Any, s: str) -> Any:
    from PIL import Image

    if image.mode not in ("RGBA", "LA"):
        return image
    under = Image.new("RGBA", image.size, s)
    under.alpha_composite(image.convert("RGBA"))
    return under.convert("RGB")


def _other_family(found: Array, s: tuple[Array, Array] | float) -> Array:
    mean, std = s if isinstance(s, tuple) else (MEAN, STD * np.float32(1 + s))
    return _normalised(_eight_bits(found), mean, std)


def _resampled(image: Any, geometry: Geometry, s: str) -> Array:
    from PIL import Image

    return _cropped(image, geometry, image.resize(_box(image, geometry)[0], Image.Resampling[s]))


def _crop_off(image: Any, geometry: Geometry, s: int) -> Array:
    from PIL import Image

    return _cropped(image, geometry, image.resize(_box(image, geometry)[0], Image.Resampling.BICUBIC), s)


def _shifted(image: Any, geometry: Geometry, s: float) -> Array:
    """Sampled `s` output pixels further right."""
    from PIL import Image

    (width, height), _ = _box(image, geometry)
    by = s * image.size[0] / width
    box = (min(by, image.size[0] - 1), 0, image.size[0], image.size[1])
    stretched = image.convert("RGB").resize(
        (round((box[2] - box[0]) * width / image.size[0]), height), Image.Resampling.BICUBIC, box=box
    )
    whole = Image.new("RGB", (width, height))
    whole.paste(stretched)
    return _cropped(image, geometry, whole)


def _fault(number: int, name: str, caught_by: tuple[str, ...], strengths: dict[str, Any], plant: Any, must: int = 99) -> Fault:
    return Fault(number, name, caught_by, strengths, plant, "preprocessor", must)


FAULTS = (
    _fault(13, "squashed", ("P2",), {"wholly": 1.0, "10 % of the way": 0.1, "3 %": 0.03, "1 %": 0.01}, preprocessor(_squashed), must=2),
    _fault(14, "antialias", ("P3",), {"tensor without antialias": False, "tensor with antialias": True}, preprocessor(_tensor_resize)),
    _fault(15, "opencv", ("P3",), {s: s for s in ("INTER_LINEAR", "INTER_CUBIC", "INTER_AREA")}, preprocessor(_opencv)),
    _fault(16, "levels-off", ("P3",), {"every value by 1": 1.0, "1 %": 1e-2, "0.01 %": 1e-4, "one value": 0.0}, pixels(_levels_off)),
    _fault(17, "rescaled", ("P3",), {"twice": 1 / 255, "not at all": 255.0, "by 256": 255 / 256, "by 0.1 %": 1.001}, pixels(_rescaled)),
    _fault(18, "exif-applied", ("P5",), {"all": None}, pixels(before=_turned)),
    _fault(18, "alpha-flattened", ("P4",), {"on white": "white", "on black": "black"}, pixels(before=_flattened)),
    _fault(25, "bgr", ("P3",), {"all": None}, pixels(lambda found, s: found[::-1])),
    _fault(
        26, "mean-and-std", ("P3",), {"0.5": HALF, "ImageNet's": IMAGENET, "1 % off": 0.01, "0.1 % off": 1e-3, "0.01 % off": 1e-4},
        pixels(_other_family)),
    _fault(30, "resampling", ("P3",), {s.lower(): s for s in ("NEAREST", "BILINEAR", "LANCZOS")}, preprocessor(_resampled)),
    _fault(30, "crop-off", ("P2", "P3"), {"by 2 pixels": 2, "by 1": 1}, preprocessor(_crop_off)),
    _fault(
        30, "shifted", ("P2", "P3"), {"by a pixel": 1.0, "by half": 0.5, "by a quarter": 0.25, "by a tenth": 0.1, "by a hundredth": 0.01},
        preprocessor(_shifted)),
)  # fmt: skip
