"""Vectors that are already in an index: a corpus finds those that moved, and golden data that are made of them are verified."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from fixtures.datasets import load_dataset
from fixtures.errors import BadInput
from plugins.corpus.sources import source_of
from plugins.golden.from_stored import FromStored
from plugins.subjects import Subjects
from suites.selftest.conftest import TINY, start
from suites.selftest.planted.small_corpus import IMAGES, answer, run, write
from suites.selftest.planted.small_corpus import tiny as tiny_family
from suites.selftest.planted.tiny import NAME, WEIGHTS

pytest.importorskip("ddsketch", reason="ddsketch is not installed: pip install 'ddsketch[serialization]'")
pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install pyarrow")
SAME = "--cells=torch-eager-fp32"


def store(path: Path, vectors: Mapping[str, Any], **columns: list[str]) -> Path:
    """A Parquet file of vectors by id, in small row groups."""
    import pyarrow as pa
    from pyarrow.parquet import write_table

    width = len(next(iter(vectors.values())))
    rows = pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate([*vectors.values()])), width)
    write_table(pa.table({"id": [*vectors], "vector": rows, **columns}), path, row_group_size=7)
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See write."""
    return write(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def vectors(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The reference's vectors of all images that can be read: a run with all images as queries keeps them."""
    out = tmp_path_factory.mktemp("out") / "all"
    assert run(corpus, out, SAME, f"--queries={IMAGES}", "--part=100") == 0
    names = sorted(path.relative_to(corpus).as_posix() for path in corpus.rglob("*.png"))
    found = dict(zip(names, np.load(out / "queries" / "00000000.npz")["wanted"], strict=True))
    return {name: vector for name, vector in found.items() if name != "cut.png"}


def test_a_store_that_matches(corpus: Path, vectors: dict[str, Any], tmp_path: Path) -> None:
    """Not in the corpus's order, with one more: identical, except for the image that is not in it."""
    rows = dict(reversed(vectors.items())) | {"another.png": vectors["0/0.png"]}
    assert run(corpus, tmp_path / "out", SAME, f"--stored={store(tmp_path / 'v.parquet', rows)}") == 1
    found = answer(tmp_path / "out")
    assert found["compared"] == IMAGES - 1 and found["missing"] == {"count": 1, "first": ["cut.png"]}
    assert found["cells"][0]["class"] == "identical" and found["cells"][0]["cosine_distance"]["max"] < 1e-11
    (corpus / "cut.png").rename(tmp_path / "cut.png")
    try:
        assert run(corpus, tmp_path / "readable", SAME, f"--stored={tmp_path / 'v.parquet'}") == 0
    finally:
        (tmp_path / "cut.png").rename(corpus / "cut.png")


def test_vectors_that_moved(corpus: Path, vectors: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two that are exchanged are named, though their share is too small for any class."""
    one, other = "1/11.png", "1/13.png"
    rows = vectors | {one: vectors[other], other: vectors[one]}
    assert run(corpus, tmp_path / "out", SAME, f"--stored={store(tmp_path / 'v.parquet', rows)}") == 1
    (cell,) = answer(tmp_path / "out")["cells"]
    assert cell["class"] == "unjudged" and cell["beyond_round_off"] == 2
    assert cell["moved"] == {"count": 2, "first": [one, other]}
    assert {each["image"] for each in cell["worst"][:2]} == {one, other}
    assert "2 images are nearer to another image's vector than to their own, such as 1/11.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda rows, path: store(path, {name: row[:8] for name, row in rows.items()}), "has vectors of 8 numbers, and tiny"),
        (lambda rows, path: store(path, rows | {"0/0.png": 0 * rows["0/0.png"]}), "has no direction for '0/0.png'"),
        (lambda rows, path: store(path, rows | {"0/0.png": np.nan * rows["0/0.png"]}), "has no direction for '0/0.png'"),
        (lambda rows, path: path.write_bytes(b"nothing"), "cannot be read as Parquet"),
        (lambda rows, path: None, "cannot be read as Parquet"),
    ],
)
def test_no_store(
    change: Any, sentence: str, corpus: Path, vectors: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence."""
    change(vectors, tmp_path / "v.parquet")
    assert run(corpus, tmp_path / "out", SAME, f"--stored={tmp_path / 'v.parquet'}") == 4
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("column", ["image", "path"])
def test_parquet_is_as_good_as_a_folder(corpus: Path, tmp_path: Path, column: str) -> None:
    """With the same ids in the same order, in two files and many row groups: the same answer."""
    import pyarrow as pa
    from pyarrow.parquet import write_table

    names = sorted(path.relative_to(corpus).as_posix() for path in corpus.rglob("*.png"))
    content = {"image": [(corpus / name).read_bytes() for name in names], "path": [str(corpus / name) for name in names]}
    table = pa.table({"id": names, column: content[column]})
    (tmp_path / "files").mkdir()
    for number, rows in enumerate((table.slice(0, 10), table.slice(10))):
        write_table(rows, tmp_path / "files" / f"{number}.parquet", row_group_size=3)
    assert run(corpus, tmp_path / "folder", SAME) == run(tmp_path / "files", tmp_path / "parquet", SAME) == 0
    assert answer(tmp_path / "folder") == answer(tmp_path / "parquet")


def test_files_that_parquet_names_are_in_its_digest(tmp_path: Path) -> None:
    """One that is written anew, or removed, makes it another corpus; a missing one costs only itself."""
    import pyarrow as pa
    from pyarrow.parquet import write_table

    image, table = tmp_path / "images" / "a.png", tmp_path / "rows" / "images.parquet"
    for place in (image.parent, table.parent):
        place.mkdir()
    write_table(pa.table({"id": ["a", "b", "c"], "path": ["../images/a.png", "none.png", None]}), table)
    digests = []
    for content in (b"one", b"another"):
        image.write_bytes(content)
        digests += [source_of(table).digest(), source_of(table.parent).digest()]
    image.unlink()
    digests.append(source_of(table).digest())
    assert len({*digests}) == 3 and digests[0] == digests[1] and digests[2] == digests[3]


def test_single_rows_of_a_large_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample of rows reads each row group once, whatever the columns' order; a file without rows changes nothing."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile, write_table

    table = pa.table({"image": [bytes([i]) for i in range(40)], "id": [str(i) for i in range(40)]})
    for name, rows in (("a", table[:0]), ("b", table[:30]), ("c", table[30:])):
        write_table(rows, tmp_path / f"{name}.parquet", row_group_size=10)
    read, calls = ParquetFile.read_row_groups, list[list[int]]()

    def counted(file: Any, groups: list[int], **options: Any) -> Any:
        calls.append(groups)
        return read(file, groups, **options)

    monkeypatch.setattr(ParquetFile, "read_row_groups", counted)
    chosen = source_of(tmp_path).chosen([0, 3, 9, 10, 29, 30, 39])
    assert list(chosen.read()) == [(str(i), bytes([i])) for i in (0, 3, 9, 10, 29, 30, 39)]
    assert calls == [[0], [1], [2], [0]]
    whole = source_of(tmp_path)
    assert whole.ids() == [str(i) for i in range(40)] == [name for name, _ in whole.part(0, 40).read()]
    assert whole.digest() != chosen.digest()


def test_damaged_rows_of_parquet(tmp_path: Path) -> None:
    """One sentence with the file, though its footer says that all is well."""
    import pyarrow as pa
    from pyarrow.parquet import write_table

    file = tmp_path / "images.parquet"
    write_table(pa.table({"id": ["a", "b"], "image": [b"a" * 500, b"b" * 500]}), file)
    content = bytearray(file.read_bytes())
    content[4:40] = b"\xff" * 36
    file.write_bytes(content)
    source = source_of(file)
    assert len(source) == 2
    with pytest.raises(BadInput, match=r"images\.parquet cannot be read as Parquet"):
        list(source.read())


def test_golden_from_a_store(tiny: list[str], tmp_path: Path) -> None:
    """An ordinary run verifies it: all inputs agree but the one whose vector moved, and the manifest says whose they are."""
    folder = Path(tiny[-1].removeprefix("--golden="))
    dataset = load_dataset(Path(tiny[-2].removeprefix("--dataset=")))
    kept = load_file(next(folder.glob("*/vectors.safetensors")))
    rows = dict(zip(dataset.images, kept["image"], strict=True)) | dict(zip(dataset.texts, kept["text"], strict=True))
    towers = ["image"] * len(dataset.images) + ["text"] * (len(rows) - len(dataset.images))
    moved = dataset.scenes[3]
    rows[moved] = -rows[moved]
    file = store(tmp_path / "index.parquet", rows, tower=towers)
    options = [*TINY, tiny[-2], f"--golden={tmp_path}/golden"]
    made = start(tmp_path, "--update-golden", f"--from-stored={file}", *options)
    assert "stored vectors of index.parquet" in made.stdout and "at most 2" in made.stdout, made.stdout + made.stderr
    manifest = json.loads(next((tmp_path / "golden").glob("*/manifest.json")).read_text())
    assert "index.parquet" in manifest["reference"] and manifest["reference"].count("image, text") == 1
    done = start(tmp_path, "suites/embeddings", "-k", "test_direction", "--backend=torch-eager", "--precision=fp32", *options)
    assert "1 failed, 1 passed" in done.stdout, done.stdout[-3000:]
    assert f"worst input: {moved}; 1 of {len(dataset.images)} inputs beyond the limit" in done.stdout
    del rows[moved]
    store(file, rows, tower=towers[1:])
    with tiny_family(), pytest.raises(BadInput, match=f"lacks 1 of the {len(dataset.images)} images, the first is {moved}"):
        FromStored.of(file, Subjects(NAME, WEIGHTS, dataset.folder))
