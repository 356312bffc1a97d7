"""A study's terminal shows its progress and its tables, not what libraries say of models and files that are ours."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Neither open_clip's line about random weights, for every module, nor advice of libraries about what is meant so."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Palette images with Transparency", UserWarning)  # Pillow's, about a file of ours
            warnings.filterwarnings("ignore", "Int8Tensor does not implement", UserWarning)  # torch's advice to torchao
            yield
    finally:
        logging.disable(logging.NOTSET)
