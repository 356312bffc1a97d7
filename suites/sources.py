"""Pictures that tell one call from another: of one scene, in different sizes, as files and in memory."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

SIZES = ((320, 200), (200, 320), (320, 200), (250, 250))  # two of one size: a buffer that is kept by size mixes these up


def sources(image: "Image.Image") -> list["Image.Image"]:
    """The scene in each size, turned by another angle each time: no two look alike."""
    return [image.convert("RGB").rotate(90 * turn).resize(size) for turn, size in enumerate(SIZES)]


def files(images: list["Image.Image"], folder: Path) -> list[str]:
    """Their paths, as JPEG files."""
    paths = [folder / f"picture_{number}.jpg" for number in range(len(images))]
    for image, path in zip(images, paths, strict=True):
        image.save(path)
    return [str(path) for path in paths]
