"""Builds are kept by content, whole or not at all."""

import io
import os
from pathlib import Path

import pytest

from fixtures.cache import cached

WHAT = {"kind": "test", "weights": "abc"}


def build(folder: Path) -> None:
    """Something that takes long."""
    (folder / "model.onnx").write_bytes(b"graph" * 1000)


def test_second_time_nothing_is_built(tmp_path: Path) -> None:
    """The folder is the same, and no build time is reported."""
    first, seconds = cached(WHAT, build, tmp_path)
    second, none = cached(WHAT, build, tmp_path)
    assert first == second
    assert seconds is not None
    assert none is None


@pytest.mark.parametrize("key", ["weights", "precision", "onnxruntime"])
def test_every_ingredient_is_in_the_key(tmp_path: Path, key: str) -> None:
    """Other weights, precision or library version: another folder."""
    assert cached(WHAT, build, tmp_path)[0] != cached({**WHAT, key: "other"}, build, tmp_path)[0]


@pytest.mark.parametrize("damage", [b"", b"graph" * 999, None])
def test_damage_is_seen_and_mended(tmp_path: Path, damage: bytes | None, said: io.StringIO) -> None:
    """A truncated, changed or missing file is built again, and the run says so."""
    folder, _ = cached(WHAT, build, tmp_path)
    if damage is None:
        (folder / "model.onnx").unlink()
    else:
        (folder / "model.onnx").write_bytes(damage)
    cached(WHAT, build, tmp_path)
    assert said.getvalue() == f"cache entry {folder.name} is damaged: building it again\n"
    assert (folder / "model.onnx").read_bytes() == b"graph" * 1000


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    """An error in the middle leaves no folder that a later run could take for a build."""

    def fails(folder: Path) -> None:
        build(folder)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cached(WHAT, fails, tmp_path)
    assert [p for p in tmp_path.iterdir() if p.is_dir()] == []


def test_compiled_builds_lie_beside_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ONNX export makes torch set the folder to its own, in /tmp; the compiler's is ours all the same."""
    from types import SimpleNamespace
    from typing import Any

    import torch

    from fixtures.backends._compile import CACHE_DIR, COMPILED, CompiledEncoder

    monkeypatch.setenv(CACHE_DIR, "/tmp/of-torch")
    module: Any = SimpleNamespace(encode_image=torch.sin, encode_text=torch.sin, to=lambda device: module)
    CompiledEncoder(module, "cpu", torch.float32)
    assert os.environ[CACHE_DIR] == COMPILED != "/tmp/of-torch"
