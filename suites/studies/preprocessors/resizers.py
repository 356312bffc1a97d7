"""Resizers: decoded pixels in, the model's input out, as each library is told to in its own documentation."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from fixtures.capability import Array, Geometry
from fixtures.preprocessors._shared import OPENCV, normalise
from suites.studies.preprocessors.decoders import HF, PYVIPS, vips
from suites.studies.preprocessors.parts import Decoded, Part, cropped, ours, target, to_array, to_rgb

TRANSFORMERS = {"transformers": "pip install transformers"}
FAST = {"numba": "pip install numba", "simplejpeg": "pip install simplejpeg"}
BICUBIC = 3  # PIL.Image.Resampling.BICUBIC, in transformers' configurations


def _reducing(gap: float) -> Callable[[Decoded, Geometry], Array]:
    def resize(image: Decoded, geometry: Geometry) -> Array:
        new, corner = target(image, geometry)
        resized = image.resize(new, BICUBIC, reducing_gap=gap).convert("RGB")
        return normalise(cropped(np.asarray(resized), corner, geometry), geometry)

    return resize


def _opencv(interpolation: str) -> Callable[[Decoded, Geometry], Array]:
    def resize(pixels: Decoded, geometry: Geometry) -> Array:
        import cv2

        rgb = to_rgb(pixels)
        new, corner = target(rgb, geometry)
        resized = np.asarray(cv2.resize(rgb, new, interpolation=getattr(cv2, interpolation)))
        return normalise(cropped(resized, corner, geometry), geometry)

    return resize


def _v2(as_uint8: bool) -> Callable[[Decoded, Geometry], Array]:
    def resize(pixels: Decoded, geometry: Geometry) -> Array:
        import torch
        from torchvision.transforms import v2

        size = [geometry.size] * (2 if geometry.squash else 1)
        planes = torch.from_numpy(to_rgb(pixels)).permute(2, 0, 1)
        if not as_uint8:
            planes = v2.functional.to_dtype(planes, torch.float32, scale=True)
        planes = v2.functional.resize(planes, size, v2.InterpolationMode.BICUBIC, antialias=True)
        planes = v2.functional.center_crop(planes, [geometry.size])
        planes = v2.functional.to_dtype(planes, torch.float32, scale=True)
        return np.ascontiguousarray(v2.functional.normalize(planes, geometry.mean, geometry.std).numpy())

    return resize


def _configuration(geometry: Geometry) -> dict[str, Any]:
    """CLIP's preprocessor_config.json, for any size."""
    square = {"height": geometry.size, "width": geometry.size}
    return {
        "do_resize": True,
        "size": square if geometry.squash else {"shortest_edge": geometry.size},
        "resample": BICUBIC,
        "do_center_crop": True,
        "crop_size": square,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(geometry.mean),
        "image_std": list(geometry.std),
        "do_convert_rgb": True,
    }


@cache
def _processor(name: str, geometry: Geometry) -> Any:
    import transformers

    return getattr(transformers, name)(**_configuration(geometry))


def _transformers(name: str) -> Callable[[Decoded, Geometry], Array]:
    return lambda image, geometry: np.asarray(_processor(name, geometry)(image, return_tensors="np")["pixel_values"][0])


@cache
def _rust(backend: str, geometry: Geometry) -> Any:
    from hf_processors_rs import AutoImageProcessor

    kind = {"image_processor_type": "CLIPImageProcessor"}
    return AutoImageProcessor.from_dict({**kind, **_configuration(geometry)}, backend=backend)


def rust(backend: str) -> Callable[[Any, Geometry], Array]:
    """hf-processors-rs on an array, or on the path of a file; one thread, as all others."""

    def resize(given: Any, geometry: Geometry) -> Array:
        return np.asarray(_rust(backend, geometry)(given, num_threads=1)[0])

    return resize


def _pyvips(pixels: Decoded, geometry: Geometry) -> Array:
    pyvips, rgb = vips(), to_rgb(pixels)
    new, corner = target(rgb, geometry)
    image = pyvips.Image.new_from_array(rgb)
    resized = image.resize(new[0] / rgb.shape[1], vscale=new[1] / rgb.shape[0], kernel="cubic")
    return normalise(cropped(resized.numpy(), corner, geometry), geometry)


def thumbnail(path: str, geometry: Geometry) -> Array:
    """pyvips's own way from a file: JPEG is shrunk on load, colours are multiplied by alpha."""
    pyvips = vips()
    header = pyvips.Image.new_from_file(path)
    new, corner = target(np.empty((header.height, header.width, 0)), geometry)
    small = pyvips.Image.thumbnail(path, new[0], height=new[1], size="force", no_rotate=True).numpy()
    return normalise(cropped(to_array(small)[..., :3], corner, geometry), geometry)


def _cv2(name: str) -> Part:
    label = f"OpenCV {name.removeprefix('INTER_').lower()}"
    return Part(label, _opencv(name), f"`cv2.resize`, {name}, the model's geometry", OPENCV)


RESIZERS = (
    Part("original_clip", ours("original_clip", "transform"), "the reference: torchvision on a PIL image", takes_image=True),
    Part("fast_clip", ours("fast_clip", "transform"), "ours: the same integers, compiled", FAST),
    *(
        Part(f"Pillow gap {gap}", _reducing(gap), f"`Image.resize(reducing_gap={gap})`", takes_image=True)
        for gap in (1.0, 2.0, 3.0)
    ),
    Part(
        "transformers slow", _transformers("CLIPImageProcessorPil"), "`CLIPImageProcessorPil`", TRANSFORMERS, takes_image=True
    ),
    Part("transformers fast", _transformers("CLIPImageProcessor"), "`CLIPImageProcessor`", TRANSFORMERS, takes_image=True),
    Part("torchvision v2 uint8", _v2(as_uint8=True), "`v2.Resize(antialias=True)` on a uint8 tensor"),
    Part("torchvision v2 float", _v2(as_uint8=False), "`v2.Resize(antialias=True)` on a float tensor"),
    *(_cv2(f"INTER_{name}") for name in ("NEAREST", "LINEAR", "CUBIC", "AREA", "LANCZOS4")),
    Part("pyvips cubic", _pyvips, '`resize(kernel="cubic")`', PYVIPS),
    Part("hf-processors-rs pil", rust("pil"), '`backend="pil"`', HF),
    Part("hf-processors-rs torchvision", rust("torchvision"), '`backend="torchvision"`', HF),
)
WHOLES = (
    Part("original_clip", ours("original_clip"), "the reference, with its check for damage"),
    Part("fast_clip", ours("fast_clip"), "ours, with the same check", FAST),
    Part("pyvips thumbnail", thumbnail, "`pyvips.Image.thumbnail`: shrink on load", PYVIPS),
    Part("hf-processors-rs pil", rust("pil"), "from a file to pixels in Rust", HF),
)
