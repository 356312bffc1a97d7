"""A data set that cannot be used is told in one sentence, with its line and what was expected; one that can be is read."""

import json
import os
import unicodedata
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import strategies as st

from fixtures.datasets import load_dataset
from fixtures.errors import BadInput
from suites.selftest.conftest import Run
from suites.selftest.properties import hold

Form = Literal["NFC", "NFD"]
GOOD = {"text": "a monkey", "images": ["scene_000.jpg"]}


def refusal(folder: Path) -> str:
    """What is said of the data set, checked to be one sentence."""
    with pytest.raises(BadInput) as caught:
        load_dataset(folder)
    said = str(caught.value)
    assert "\n" not in said and ("expected" in said or "did you mean" in said), said
    return said


def captions(folder: Path, *rows: object, encoding: str = "utf-8", end: str = "\n") -> Path:
    """Write rows, or lines as they are."""
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / "captions.jsonl").write_bytes(end.join(lines).encode(encoding))
    return folder


CAFE = {**GOOD, "text": "un café"}


@pytest.mark.parametrize(
    ("encoding", "parts"),
    [
        ("utf-16", (":1 begins as UTF-16 does",)),
        ("utf-16-le", (":1 holds a zero byte, as UTF-16 does",)),
        ("utf-32", (":1 begins as UTF-32 does",)),
        ("latin-1", (":3 holds byte 0xe9, which is not UTF-8",)),
        ("cp1252", (":3 holds byte 0xe9",)),
        ("gbk", (":3 holds byte 0xa8",)),
    ],
)
def test_other_encodings(dataset: Path, encoding: str, parts: tuple[str, ...]) -> None:
    """They are told, with the line."""
    said = refusal(captions(dataset, GOOD, "", CAFE, encoding=encoding))
    assert all(part in said for part in ("captions.jsonl", "save it as UTF-8", *parts)), said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n  \n"])
def test_what_editors_do(dataset: Path, encoding: str, end: str) -> None:
    """A byte order mark, other line ends and empty lines mean nothing; U+2028 is part of a text."""
    separated = {**GOOD, "text": "one\u2028two"}
    read = load_dataset(captions(dataset, CAFE, separated, encoding=encoding, end=end))
    assert [query.text for query in read.queries] == ["un café", "one\u2028two"]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        *(({"labels": labels}, f"has the labels {json.dumps(labels)}") for labels in (0, -1, 1.5, "2", None, True, [1], 1e999)),
        ({"images": "scene_000.jpg"}, 'has the images "scene_000.jpg": expected a list of file names'),
        ({"images": {"a": 1}}, "expected a list of file names"),
        ({"images": [["scene_000.jpg"]]}, "expected a list of file names"),
        ({"images": [0]}, "expected a list of file names"),
        ({"images": [""]}, "expected a list of file names"),
        ({"images": ["\ud800.jpg"]}, "expected a list of file names"),
        ({"images": []}, "lacks 'text' or 'images'"),
        ({"text": 5}, "holds 5, which is no text"),
        ({"text": ["a"]}, "is no text"),
        ({"language": 5}, "has the language 5"),
    ],
)
def test_wrong_values(dataset: Path, change: dict[str, object], part: str) -> None:
    """Of the second line."""
    said = refusal(captions(dataset, GOOD, json.dumps({**GOOD, **change})))
    assert "captions.jsonl:2 " in said and part in said, said


@pytest.mark.parametrize("line", ["[1]", "null", '"text"', "{", "[" * 100_000, '{"text": "x"} {}', "text,images"])
def test_lines_that_are_no_object(dataset: Path, line: str) -> None:
    """As those of a CSV file."""
    assert "captions.jsonl:2 is no JSON object" in refusal(captions(dataset, GOOD, line))


def test_labels_that_are_whole(dataset: Path) -> None:
    """2.0 is 2, as some writers have it; none given is 1."""
    read = load_dataset(captions(dataset, {**GOOD, "labels": 2.0}, {**GOOD, "labels": 3}, GOOD))
    assert [query.labels for query in read.queries] == [2, 3, 1]


@pytest.mark.parametrize("way", ["./{}", "{}", "sub/../{}", ".\\{}", "sub\\..\\{}"])
def test_other_ways_to_the_same_file(dataset: Path, way: str) -> None:
    """`./`, `..` and backslashes; the file is meant once, however often a caption names it."""
    names = [way.format("scene_000.jpg"), "scene_000.jpg", "SCENE_000.JPG"]
    read = load_dataset(captions(dataset, {**GOOD, "images": names}))
    assert read.scenes == ("scene_000.jpg",) and read.queries[0].images == (0,)
    assert read.odd == ("scene_001.jpg", "scene_002.jpg")


@pytest.mark.parametrize(("stored", "named"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_other_letters_for_the_same_file(dataset: Path, stored: Form, named: Form) -> None:
    """Unicode's normal forms, in folders and files, and case."""
    folder = dataset / "images" / unicodedata.normalize(stored, "été")
    folder.mkdir()
    (dataset / "images" / "scene_000.jpg").rename(folder / unicodedata.normalize(stored, "Café.JPG"))
    read = load_dataset(captions(dataset, {**GOOD, "images": [unicodedata.normalize(named, "Été\\café.jpg")]}))
    assert read.scenes == (unicodedata.normalize(stored, "été/Café.JPG"),)
    assert Path(read.path(read.scenes[0])).is_file()


def test_a_name_that_may_be_two(dataset: Path) -> None:
    """Exactly one is meant, or none is taken."""
    images = dataset / "images"
    (images / "Scene_000.jpg").write_bytes((images / "scene_000.jpg").read_bytes())
    assert load_dataset(captions(dataset, GOOD)).scenes == ("scene_000.jpg",)
    assert "may be Scene_000.jpg or scene_000.jpg" in refusal(captions(dataset, {**GOOD, "images": ["SCENE_000.jpg"]}))


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("scene_00.jpg", "names 1 images that"),
        ("images/scene_000.jpg", "did you mean 'scene_000.jpg'?"),
        ("scene_000.jpeg", "did you mean 'scene_000.jpg'?"),
        ("photo.heic", "the suffix .heic are not read: expected one of .bmp, .gif, .jpeg, .jpg, .png, .tif, .tiff, .webp"),
        ("noend", "the suffix '' are not read"),
        ("folder.jpg", "is a folder"),
        (".hidden.jpg", "is hidden"),
        ("../captions.jsonl", "is outside of"),
        ("/etc/scene.jpg", "is outside of"),
        ("x\ny.jpg", "expected one of its 3 image files"),
        ("a\0b.jpg", "names 1 images"),
    ],
)
def test_names_that_no_image_has(dataset: Path, name: str, part: str) -> None:
    """What is there instead, or the nearest name, with the line."""
    images = dataset / "images"
    for other in ("photo.heic", "noend", ".hidden.jpg"):
        (images / other).write_bytes(b"x")
    (images / "folder.jpg").mkdir()
    said = refusal(captions(dataset, GOOD, {**GOOD, "images": ["scene_000.jpg", name]}))
    assert part in said and ("captions.jsonl:2" in said or "in line 2" in said), said


def test_files_that_are_no_images(dataset: Path) -> None:
    """Hidden files, what archives add, folders with an image's name and broken links are left out."""
    images = dataset / "images"
    for name in ("._scene_000.jpg", ".DS_Store", "Thumbs.db", "__MACOSX/scene.jpg", ".cache/scene.jpg", "notes.txt"):
        (images / name).parent.mkdir(exist_ok=True)
        (images / name).write_bytes(b"not an image")
    (images / "folder.png").mkdir()
    (images / "broken.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(images / "pipe.jpg")
    assert load_dataset(captions(dataset, GOOD)).images == ("scene_000.jpg", "scene_001.jpg", "scene_002.jpg")


def test_names_that_are_no_text(dataset: Path) -> None:
    """A file name in another encoding cannot be written into a manifest."""
    (dataset / "images" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    with pytest.raises(BadInput, match="has a name that is not UTF-8: rename it"):
        load_dataset(captions(dataset, GOOD))


def test_no_folder(dataset: Path) -> None:
    """Of images, or captions."""
    (dataset / "images").rename(dataset / "pictures")
    assert f"no folder {dataset}/images" in refusal(captions(dataset, GOOD))
    (dataset / "captions.jsonl").unlink()
    assert "no caption file" in refusal(dataset)


def test_any_captions(dataset: Path) -> None:
    """Whatever bytes stand in the file, they are queries or one sentence."""

    def check(lines: list[bytes]) -> None:
        (dataset / "captions.jsonl").write_bytes(b"\n".join(lines))
        try:
            assert load_dataset(dataset).queries
        except BadInput as error:
            assert "\n" not in str(error) and "captions.jsonl" in str(error)

    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["scene_000.jpg", "a"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "labels", "language"]), inner),
        max_leaves=8,
    )
    rows = st.fixed_dictionaries(
        {"text": values | st.just("a"), "images": values | st.just(["scene_001.jpg"]), "labels": values}
    )
    line = st.one_of(st.binary(max_size=30), values.map(json.dumps).map(str.encode), rows.map(json.dumps).map(str.encode))
    hold("any captions", check, 300, lines=st.lists(line, max_size=3))


def test_the_run_ends_in_the_sentence(run: Run, dataset: Path) -> None:
    """Exit code 4, and nothing that looks like a crash."""
    captions(dataset, GOOD, CAFE, encoding="latin-1")
    done = run("suites/preprocessing", f"--dataset={dataset}", "--preprocessor=original_clip")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "captions.jsonl:2 holds byte 0xe9" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
