"""What `--update-golden` says of the golden data that it replaces, and what it keeps of them."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import safetensors.numpy as safetensors

from plugins.golden import update
from plugins.golden.replaced import Replaced
from plugins.golden.verified import folder
from plugins.subjects import Subjects
from suites.selftest.planted.small_corpus import tiny as tiny_family
from suites.selftest.planted.tiny import NAME, WEIGHTS

CUDA = "[fp16.image.cuda]\ncosine_distance = { limit = 1.0, measured = 1.0, factor = 1.0, floor = 0.0 }\n"


@pytest.fixture
def subjects(tiny: list[str], tmp_path: Path) -> Iterator[Subjects]:
    """The tiny model with a copy of its golden data, which have tolerances of a GPU too."""
    data, golden = (Path(option.partition("=")[2]) for option in tiny[-2:])
    shutil.copytree(golden, tmp_path / "golden")
    with tiny_family():
        found = Subjects(NAME, WEIGHTS, data, tmp_path / "golden")
        tolerances = folder(found) / "tolerances.toml"
        tolerances.write_text(f"{tolerances.read_text()}\n{CUDA}")
        changed(found, devices={"cuda": {"date": "then"}})
        yield found


def changed(subjects: Subjects, **fields: Any) -> None:
    """Write fields of the manifest, and the hashes that its files have now."""
    where = folder(subjects)
    manifest = json.loads((where / "manifest.json").read_text())
    hashes = {name: hashlib.sha256((where / name).read_bytes()).hexdigest() for name in manifest["files"]}
    (where / "manifest.json").write_text(json.dumps({**manifest, "files": hashes, **fields}))


def said(subjects: Subjects) -> str:
    """What the update would say of them, if the vectors were those of the shared golden data again."""
    new = safetensors.load_file(folder(subjects) / "vectors.safetensors")
    new["image"] = -new["image"]
    return "\n".join(Replaced.of(subjects).beside({"image": new["image"], "text": new["text"]}, subjects))


def test_the_same_weights_and_inputs(subjects: Subjects) -> None:
    """Both towers are compared, with the input that moved most; tolerances of the GPU are kept."""
    found = said(subjects)
    assert "image vectors moved by a cosine distance of at most 2 (" in found and "text vectors moved" in found
    assert "other" not in found and "left out" not in found
    kept = Replaced.of(subjects)
    assert dict(kept.tables) == {"cuda": CUDA} and dict(kept.devices) == {"cuda": {"date": "then"}}


@pytest.mark.parametrize(
    ("field", "what", "compared"),
    [
        ("weights_sha256", "weights", True),
        ("tokens_sha256", "tokens of the tokeniser", True),
        ("dataset_sha256", "data set", False),
    ],
)
def test_others(subjects: Subjects, field: str, what: str, compared: bool) -> None:
    """It says what is other, compares where rows are the same inputs, and leaves out what was measured with the others."""
    changed(subjects, **{field: "0" * 64})
    found = said(subjects)
    assert f"the previous ones were made from other {what} (SHA-256 000000000000… then," in found
    assert ("vectors moved" in found) == compared and ("whose rows are of other inputs" in found) != compared
    assert f"tolerances of cuda are left out, because they hold for the previous {what} alone" in found
    assert not Replaced.of(subjects).tables and not Replaced.of(subjects).devices


def damage(where: Path) -> None:
    """As a disk might."""
    (where / "vectors.safetensors").write_bytes(b"")


@pytest.mark.parametrize(("how", "why"), [(damage, "is damaged or was changed"), (shutil.rmtree, "there were none before")])
def test_nothing_to_compare_with(subjects: Subjects, how: Callable[[Path], None], why: str) -> None:
    """It says why."""
    how(folder(subjects))
    found = Replaced.of(subjects)
    assert why in "\n".join(found.about) and not found.vectors and not found.tables


def test_an_update_reads_them_once(subjects: Subjects, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says in lines what it wrote, what moved and what the new vectors are worth."""
    load = Mock(wraps=safetensors.load_file)
    monkeypatch.setattr(safetensors, "load_file", load)
    for slow in ("tolerances", "budgets"):
        monkeypatch.setattr(update, slow, lambda *_: "")
    first, *lines = update.update(subjects, ["pytest"])
    assert load.call_count == 1
    assert first.endswith(f": new golden data of {len(subjects.dataset.images)} images and {len(subjects.dataset.texts)} texts")
    assert [line.split(" by ")[0] for line in lines[:2]] == ["  image vectors moved", "  text vectors moved"]
    assert lines[2].startswith("  certified error of the new vectors: cosine distance at most ") and len(lines) == 3
    assert CUDA in (folder(subjects) / "tolerances.toml").read_text()
