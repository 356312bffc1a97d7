"""A plug-in for inner runs: the model has other weights or tokens than golden's, by as little as $OTHERWISE says."""

import os
from typing import Any

import numpy as np
import pytest

from fixtures.models import load_model


def pytest_configure() -> None:
    """Every model that is loaded from here on."""
    what = os.environ["OTHERWISE"].partition(":")[0]

    def otherwise(*arguments: Any) -> Any:
        model = load_model(*arguments)
        if what == "weights":
            values = next(iter(model.state.values())).view(-1)
            values[0] = float(np.nextafter(np.float32(values[0].item()), np.float32(np.inf)))
        else:
            tokenize = model.tokenize
            model.tokenize = lambda texts: _last_changed(tokenize(texts))  # type: ignore[method-assign]
        return model

    pytest.MonkeyPatch().setattr("plugins.subjects.load_model", otherwise)


def _last_changed(tokens: Any) -> Any:
    tokens[-1, 1] += 1
    return tokens
