"""The kernl row tells the real package from the one that has its name, and runs both towers through it."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fixtures.backends.kernl import KernlEncoder
from fixtures.errors import Unavailable
from fixtures.models import load_model
from fixtures.registry import backends


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to install into, forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "kernl"]:
        del sys.modules[name]


def install(site: Path, *files: str) -> None:
    """A package named kernl with these files, whose optimize_model counts the calls of the model it is given."""
    (site / "kernl").mkdir()
    for name in files:
        (site / "kernl" / name).write_text(
            "calls = []\n"
            "def optimize_model(model):\n"
            "    forward = model.forward\n"
            "    model.forward = lambda batch: (calls.append(1), forward(batch))[1]\n"
        )
    importlib.invalidate_caches()


def test_absent_and_impostor_are_told_apart(site: Path) -> None:
    """Both skip, with what a person can do."""
    with pytest.raises(Unavailable, match=r"'kernl' is not installed; kernl is unmaintained, .* torch-compile's max-autotune"):
        backends()["kernl"].available("cuda")
    install(site, "__init__.py")
    with pytest.raises(Unavailable, match=r"another project of that name; .*ELS-RD/kernl\) wants Python 3.9"):
        backends()["kernl"].available("cuda")


def test_both_towers_go_through_it(site: Path) -> None:
    """The real package is accepted, and what it makes of each tower is what is called."""
    install(site, "__init__.py", "model_optimization.py")
    backends()["kernl"].available("cuda")
    model = load_model("scenes-s", "")
    encoder = KernlEncoder(model.module(), "cpu")
    tokens = model.tokenize(["a dog", "a bus"])
    wanted = backends()["torch-autocast"].load(model, "fp16", "cpu").encode_text(tokens)
    np.testing.assert_array_equal(encoder.encode_text(tokens), wanted)
    encoder.encode_image(np.zeros((1, 3, 224, 224), np.float32))
    assert len(importlib.import_module("kernl.model_optimization").calls) == 2
