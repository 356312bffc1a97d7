"""Cones, dimensions, margins and massive activations of vectors whose answers are known."""

import numpy as np
import pytest

from plugins.measures.drift.layers.massive import row
from plugins.measures.vectors.geometry import across, cone


def test_a_cone_by_hand() -> None:
    """A constant of 3 and one axis of 1 for each of four vectors: cosine 9 / 10, and no neighbour is nearer than the next."""
    vectors = np.hstack([np.full((4, 1), 3.0), np.eye(4)])
    found = cone(vectors * np.arange(1, 5)[:, None])  # lengths do not count
    assert found["mean_cosine"] == pytest.approx(0.9)
    assert found["largest"][0] == {"dimension": 0, "share": pytest.approx(0.9)}
    assert found["largest"][1]["share"] == pytest.approx(0.1 / 4)
    assert found["margin"] == pytest.approx(0.0, abs=1e-12)


def test_margins_by_hand() -> None:
    """Three vectors at 0, 10 and 40 degrees: the nearest other and the next."""
    angles = np.radians([0.0, 10.0, 40.0])
    found = cone(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    near, far, between = np.cos(np.radians([10.0, 40.0, 30.0]))
    assert found["margin"] == pytest.approx(np.median([near - far, near - between, between - far]))


def test_texts_across_images() -> None:
    """The best right image counts as the match."""
    images = np.eye(3)
    texts = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]])
    found = across(texts, images, [[0], [0, 1]])
    assert found["mean"] == pytest.approx((1 + 0.6 + 0.8) / 6)
    assert found["matches"] == pytest.approx((1 + 0.8) / 2)
    assert found["margin"] == pytest.approx((1 + 0.2) / 2)


def test_a_massive_activation_is_found() -> None:
    """Where it is, how large beside the median, and that padding does not count."""
    import torch

    stream = torch.ones(2, 4, 8)
    stream[:, 1, 5] = -400.0
    stream[:, :, 2] = 7.0
    stream[0, 3, 0] = 70000.0  # padding
    kept = torch.ones(2, 4, dtype=torch.bool)
    kept[:, 3] = False
    found = row(3, stream, kept)
    assert (found["block"], found["median"], found["largest"], found["times"]) == (3, 1.0, 400.0, 400.0)
    assert (found["token"], found["channel"], found["beyond"]) == (1, 5, 2)
    assert (found["tokens"], found["channels"], found["overflow"]) == ([1], [5], 0)
    assert found["outlier_channels"] == [2]
    assert row(3, stream, torch.ones_like(kept))["overflow"] == 1


def test_a_stream_of_zeros() -> None:
    """Most values are 0, as of a block that writes nothing: what is left is infinitely larger."""
    import torch

    stream = torch.zeros(1, 2, 8)
    stream[0, 0, 3] = 1.0
    assert row(0, stream, torch.ones(1, 2, dtype=torch.bool))["times"] == np.inf
