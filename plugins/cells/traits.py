"""Which promise judges an image file, by its traits."""

from fixtures.capability import Geometry, Preprocessor
from fixtures.datasets import Trait

TRAIT_PROMISES: dict[Trait, str] = {"opaque": "P3", "transparent": "P4", "turned": "P5", "converted": "P6", "small": "P8"}


def excused_traits(preprocessor: Preprocessor, geometry: Geometry) -> set[str]:
    """Traits of the images on which a preprocessor declares to differ."""
    known = preprocessor.failures(geometry.squash)
    return {trait for trait, promise in TRAIT_PROMISES.items() if promise in known}
