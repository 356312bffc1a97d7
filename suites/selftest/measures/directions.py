"""Random directions, and vectors turned by a known angle."""

import numpy as np
from numpy.typing import NDArray

from plugins.measures.vectors.metrics import Float64, normalised

D = 24


def unit(rng: np.random.Generator, *shape: int) -> Float64:
    """Random directions [..., D]."""
    return normalised(rng.normal(size=(*shape, D)))


def turned(x: NDArray[np.floating], towards: Float64, angle: Float64 | float) -> Float64:
    """`x` turned by exactly `angle` in the plane of x and `towards`; both [..., D]."""
    along = normalised(towards - (towards * x).sum(-1, keepdims=True) * x)
    angle = np.asarray(angle)[..., None]
    return np.asarray(np.cos(angle) * x + np.sin(angle) * along)
