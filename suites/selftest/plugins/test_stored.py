"""Vectors that one run stores are compared by another one, and by nobody if they belong to other inputs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from fixtures.cells import EncoderKey
from fixtures.errors import Unavailable
from plugins.stored.bundle import Stored, of
from plugins.stored.parquet import StoredVectors
from suites.selftest.conftest import Run, start

ENCODERS = ("suites/embeddings", "--backend=torch-eager", "--precision=fp32,bf16")
DIRECTION = (*ENCODERS, "-k", "test_direction")
COMPARED = (*ENCODERS, "-k", "test_stored")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, tiny: list[str]) -> Path:
    """What one run stored."""
    folder = tmp_path_factory.mktemp("stored")
    done = start(folder, *DIRECTION, *tiny, f"--export-vectors={folder}/vectors.safetensors")
    assert f"vectors: {folder}/vectors.safetensors" in done.stdout, done.stdout
    assert [path.name for path in folder.iterdir()] != [] and not list(folder.glob(".*"))
    return folder / "vectors.safetensors"


def test_the_form(bundle: Path) -> None:
    """Two encoders, two towers, and what they belong to."""
    with safe_open(bundle, "numpy") as file:
        metadata = file.metadata()
        assert {*file.keys()} == {
            f"tiny:clip@random:0-torch-eager-{precision}-cpu/{tower}"
            for precision in ("fp32", "bf16")
            for tower in ("image", "text")
        }
    assert json.loads(metadata["precisions"])["tiny:clip@random:0-torch-eager-bf16-cpu"] == "bf16"
    assert {"model", "weights_sha256", "pixels_sha256", "tokens_sha256"} <= {*metadata}


def test_the_same_machine(bundle: Path, run: Run, tiny: list[str], tmp_path: Path) -> None:
    """No distance, and in the report and on the screen whose vectors they are."""
    done = run(*COMPARED, *tiny, f"--compare-vectors={bundle}")
    assert " stored vectors " in done.stdout and "4 passed" in done.stdout, done.stdout[-3000:]
    rows = json.loads((tmp_path / "report.json").read_text())["cells"]
    for row in rows:
        assert row["stored"]["image"]["beside"] == row["id"] and row["stored"]["text"]["cosine_distance"] < 1e-12


def test_another_program(bundle: Path, run: Run, tiny: list[str], tmp_path: Path) -> None:
    """A file without ids and metadata is compared with every encoder; one row that is wrong is named."""
    one = {name.rpartition("/")[2]: rows for name, rows in load_file(bundle).items() if "-fp32-" in name}
    one["text"][3] *= -1
    save_file(one, tmp_path / "theirs.safetensors")
    done = run(*COMPARED, *tiny, f"--compare-vectors={tmp_path}/theirs.safetensors")
    assert "2 failed, 2 passed" in done.stdout, done.stdout[-3000:]
    assert "E19 broken" in done.stdout and "cosine distance to the stored vector of theirs.safetensors is 2" in done.stdout
    assert "1 of " in done.stdout and "--compare-vectors=" in done.stdout.split("again: pytest")[1].splitlines()[0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda path: path.write_bytes(b"nothing"), "is no bundle of vectors"),
        (lambda path: path.unlink(), "is no bundle of vectors"),
        (lambda path: save_file(load_file(path), path, {"weights_sha256": "abc"}), "has weights_sha256 abc, expected"),
        (lambda path: save_file({"image": np.zeros((3, 8), np.float32)}, path), "has 'image' float32 [3, 8], expected 'image'"),
        (lambda path: save_file({"pictures": np.zeros((3, 8), np.float32)}, path), "has 'pictures' float32 [3, 8]"),
    ],
)
def test_no_bundle(change: Any, sentence: str, bundle: Path, run: Run, tiny: list[str], tmp_path: Path) -> None:
    """One sentence: what was found, what was expected."""
    path = tmp_path / "other.safetensors"
    path.write_bytes(bundle.read_bytes())
    change(path)
    done = run(*COMPARED, *tiny, f"--compare-vectors={path}")
    assert sentence in done.stdout + done.stderr and done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr


def test_whose_vectors() -> None:
    """Its own, or the only one, or the same on another device."""
    row = {"image": np.zeros((1, 2), np.float32)}
    key, file = EncoderKey("m", "torch", "fp16", "cuda"), Path("f.safetensors")
    names = ("m-torch-fp32-cpu", "m-torch-fp16-cpu", "m-torch-fp16-cuda")
    three = [Stored(name, "fp16", row) for name in names]
    assert of(key, three, "image", file).name == names[2]
    assert of(key, three[:2], "image", file).name == names[1]
    assert of(key, three[:1], "image", file).name == names[0]
    with pytest.raises(Unavailable, match=r"f.safetensors has no text vectors to compare m-torch-fp16-cuda with"):
        of(key, three, "text", file)
    with pytest.raises(Unavailable, match="did you mean"):
        of(EncoderKey("m", "onnx", "fp16", "cpu"), three, "image", file)


def test_ids_that_are_numbers(tmp_path: Path) -> None:
    """Names that are no such number are not in the file, whatever they look like."""
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = tmp_path / "v.parquet"
    vectors = pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32()))
    pq.write_table(pa.table({"id": pa.array([5, -7], pa.int32()), "vector": vectors}), file)
    found = StoredVectors.of(file).vectors(["5", "-7", "05", "²", "--5", "1_0", "99999999999", "a.jpg"])
    assert {name: row.tolist() for name, row in found.items()} == {"5": [1.0, 2.0], "-7": [3.0, 4.0]}
