"""Decoders: a file in, its pixels out, as each library is told to in its own documentation."""

from pathlib import Path
from typing import Any

import numpy as np

from fixtures.capability import Geometry
from fixtures.errors import Unavailable
from fixtures.machine.devices import cuda_count
from suites.studies.preprocessors.parts import Part

NUMPY = np.ndarray
PYVIPS = {"pyvips": "pip install 'pyvips[binary]'"}
SIMPLEJPEG = {"simplejpeg": "pip install simplejpeg"}
HF = {"hf_processors_rs": "pip install hf-processors-rs"}
SHRINKS = (8, 4, 2)  # what a JPEG decoder can do within its inverse transform


def _pillow(path: str, geometry: Geometry) -> Any:
    from PIL import Image

    with Image.open(path) as image:
        image.load()
        return image


def _draft(path: str, geometry: Geometry) -> Any:
    from PIL import Image

    with Image.open(path) as image:
        image.draft(None, (geometry.size, geometry.size))
        image.load()
        return image


def _opencv(path: str, geometry: Geometry) -> NUMPY:
    import cv2

    found = np.asarray(cv2.imread(path, cv2.IMREAD_UNCHANGED))
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB if found.shape[2] == 3 else cv2.COLOR_BGRA2RGBA))


def _torchvision(path: str, geometry: Geometry) -> NUMPY:
    from torchvision.io import ImageReadMode, decode_image

    return np.asarray(decode_image(path, ImageReadMode.UNCHANGED).permute(1, 2, 0).numpy())


def _nvjpeg(path: str, geometry: Geometry) -> NUMPY:
    from torchvision.io import decode_jpeg, read_file

    return np.asarray(decode_jpeg(read_file(path), device="cuda").permute(1, 2, 0).cpu().numpy())


def _needs_cuda() -> None:
    if not cuda_count():
        raise Unavailable("no CUDA device: torchvision decodes JPEG there with nvJPEG")


def _simplejpeg(path: str, geometry: Geometry) -> NUMPY:
    from simplejpeg import decode_jpeg

    return np.asarray(decode_jpeg(Path(path).read_bytes()))


def _simplejpeg_scaled(path: str, geometry: Geometry) -> NUMPY:
    from simplejpeg import decode_jpeg

    return np.asarray(decode_jpeg(Path(path).read_bytes(), min_height=geometry.size, min_width=geometry.size))


def vips() -> Any:
    """pyvips, without its memory: libvips keeps what it did last, so that the same file would not be decoded again."""
    import pyvips

    pyvips.cache_set_max(0)
    return pyvips


def _pyvips(path: str, geometry: Geometry) -> NUMPY:
    pyvips = vips()
    return np.asarray(pyvips.Image.new_from_file(path, access="sequential").numpy())


def _pyvips_shrunk(path: str, geometry: Geometry) -> NUMPY:
    pyvips = vips()
    header = pyvips.Image.new_from_file(path)
    shrink = next((n for n in SHRINKS if min(header.width, header.height) >= n * geometry.size), 1)
    return np.asarray(pyvips.Image.new_from_file(path, access="sequential", shrink=shrink).numpy())


def _hf(path: str, geometry: Geometry) -> NUMPY:
    from hf_processors_rs import load_image_array

    return np.asarray(load_image_array(path))


DECODERS = (
    Part("Pillow", _pillow, "`Image.open`: what the reference decodes with, here without its check for damage"),
    Part("Pillow draft", _draft, "`draft`: JPEG decoded at 1/2, 1/4 or 1/8, the smallest that is not below the model's size"),
    Part("OpenCV", _opencv, "`cv2.imread`, then BGR to RGB"),
    Part("torchvision", _torchvision, "`torchvision.io.decode_image`"),
    Part("torchvision CUDA", _nvjpeg, "`decode_jpeg` on the device, copied back", able=_needs_cuda),
    Part("simplejpeg", _simplejpeg, "`simplejpeg.decode_jpeg`: libjpeg-turbo's own interface, as PyTurboJPEG's", SIMPLEJPEG),
    Part("simplejpeg scaled", _simplejpeg_scaled, "`min_height`, `min_width`: decoded smaller, in eighths", SIMPLEJPEG),
    Part("pyvips", _pyvips, "`new_from_file`", PYVIPS),
    Part("pyvips shrink", _pyvips_shrunk, "`new_from_file(shrink=…)`: shrink on load, for JPEG", PYVIPS),
    Part("hf-processors-rs", _hf, "`load_image_array`, in Rust", HF),
)
JPEG_ONLY = ("simplejpeg", "simplejpeg scaled", "torchvision CUDA", "Pillow draft", "pyvips shrink")
