"""Static int8 is calibrated on inputs that no suite evaluates, in both languages."""

import numpy as np

from fixtures.backends._calibration import ROWS, calibration_files
from fixtures.datasets import DEFAULT, load_dataset
from fixtures.models import load_model
from fixtures.registry import preprocessors


def test_no_evaluated_input_is_among_them() -> None:
    """Neither a caption's tokens nor a scene's pixels; enough rows to have seen the ranges."""
    model, dataset = load_model("scenes-s", ""), load_dataset(DEFAULT)
    folder = calibration_files(model)
    tokens, pixels = np.load(folder / "text.npy"), np.load(folder / "image.npy")
    evaluated = {row.tobytes() for row in model.tokenize(dataset.texts)}
    assert not evaluated & {row.tobytes() for row in tokens}
    scene = preprocessors()["original_clip"](dataset.path(dataset.scenes[0]), model.geometry)
    assert (pixels[0] == scene[:, :, ::-1]).all() and not (pixels[0] == scene).all()
    assert pixels.shape[1:] == (3, 224, 224) and tokens.dtype == np.int64
    assert len(pixels) == ROWS and ROWS // 2 < len(tokens) <= ROWS
