"""A corpus: its parts survive kills, add up to one answer, and belong to it; vectors of a store that moved are named."""

import json
import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fixtures import ROOT
from fixtures.registry import families
from plugins.corpus import work
from plugins.corpus.__main__ import main
from plugins.corpus.cells import named
from plugins.corpus.engine import Engine
from plugins.corpus.sources import Folder
from suites.selftest.planted.dying_work import Dying
from suites.selftest.planted.tiny import NAME, WEIGHTS, Tiny

pytest.importorskip("ddsketch", reason="ddsketch is not installed: pip install 'clip-conformance[corpus]'")
SCENES = ROOT / "fixtures" / "datasets" / "scenes" / "images"
IMAGES, PART, QUERIES = 22, 8, 10
MODEL = (f"--model={NAME}", f"--pretrained={WEIGHTS}")
HERE = ("--workers=0", f"--part={PART}", f"--queries={QUERIES}", *MODEL)
CELLS = "--cells=torch-eager-bf16,torch-eager-fp32-opencv-cubic"


@pytest.fixture(autouse=True)
def _tiny() -> Iterator[None]:
    families()["tiny"] = Tiny()
    yield
    del families()["tiny"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small scenes in two folders, and a file that is cut off."""
    folder = tmp_path_factory.mktemp("corpus")
    for number, path in enumerate(sorted(SCENES.glob("*.jpg"))[:: 650 // IMAGES][: IMAGES - 1]):
        place = folder / str(number % 2) / f"{number}.png"
        place.parent.mkdir(exist_ok=True)
        with Image.open(path) as image:
            image.resize((150, 100)).save(place)
    (folder / "cut.png").write_bytes(place.read_bytes()[:900])
    return folder


def answer(out: Path) -> dict[str, Any]:
    """The answer in a folder."""
    found: dict[str, Any] = json.loads((out / "corpus.json").read_text(encoding="utf-8"))["answer"]
    return found


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nobody disturbed."""
    families()["tiny"] = Tiny()
    out = tmp_path_factory.mktemp("out") / "whole"
    assert main([str(corpus), CELLS, *HERE, f"--out={out}"]) == 0
    return out


def test_the_answer(whole: Path) -> None:
    """All images are counted, the one that nobody can read by its name; a page shows the worst."""
    found = answer(whole)
    assert (found["images"], found["compared"], found["unreadable"]["count"]) == (IMAGES, IMAGES - 1, 1)
    assert found["unreadable"]["first"][0].startswith("cut.png: image it cannot be decoded")
    low, cubic = found["cells"]
    assert (low["class"], cubic["class"]) == ("interchangeable", "interchangeable")
    assert 1e-7 < low["cosine_distance"]["median"] <= low["cosine_distance"]["max"] < 1e-2
    assert low["worst"][0]["cosine_distance"] == low["cosine_distance"]["max"] and low["beyond_round_off"] == IMAGES - 1
    assert low["flips"]["golden+cell"]["n"] == found["queries"] == QUERIES - 1  # the evenly spaced ones begin with cut.png
    page = (whole / "corpus.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == IMAGES - 1 and low["worst"][0]["image"] in page


def test_parts_add_up(whole: Path, corpus: Path, tmp_path: Path) -> None:
    """One part or three: drift, flips and the worst are the same to the digit."""
    assert main([str(corpus), CELLS, *HERE, "--part=100", f"--out={tmp_path}/one"]) == 0
    one, three = answer(tmp_path / "one"), answer(whole)
    assert len(list((tmp_path / "one" / "parts").iterdir())) == 1 and len(list((whole / "parts").iterdir())) == 3
    assert one == three


def killed(arguments: list[str]) -> None:
    """The command, which dies in its second part."""
    compare = work.Compare.__call__

    def dies(self: work.Compare, task: work.Task) -> work.Result:
        if task["number"] == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return compare(self, task)

    work.Compare.__call__ = dies  # type: ignore[method-assign]
    main(arguments)


def test_a_killed_run_goes_on(whole: Path, corpus: Path, tmp_path: Path) -> None:
    """Its finished part is kept, the others are computed, and the answer is that of a run that nobody killed."""
    out = tmp_path / "out"
    arguments = [str(corpus), CELLS, *HERE, f"--out={out}"]
    process = multiprocessing.get_context("fork").Process(target=killed, args=(arguments,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    (first,) = (out / "parts").iterdir()
    before = first.stat().st_mtime_ns
    assert main(arguments) == 0
    assert first.stat().st_mtime_ns == before and answer(out) == answer(whole)


def test_another_corpus_is_refused(whole: Path, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One more image, other cells: one sentence that says what is other."""
    arguments = [str(corpus), *HERE, f"--out={whole}"]
    more = corpus / "more.png"
    more.write_bytes((corpus / "0" / "0.png").read_bytes())
    try:
        assert main([*arguments, CELLS]) == 4
    finally:
        more.unlink()
    assert f"other number of images and images (number of images: {IMAGES} then, {IMAGES + 1} now)" in capsys.readouterr().err
    assert main([*arguments, "--cells=torch-eager-fp16"]) == 4
    assert "begun with other cells" in capsys.readouterr().err
    assert main([*arguments, CELLS]) == 0


def test_a_damaged_part_is_named(whole: Path, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is never taken for a finished one."""
    part = whole / "parts" / "00000001.safetensors"
    content = part.read_bytes()
    part.write_bytes(content[: len(content) // 2])
    try:
        assert main([str(corpus), CELLS, *HERE, f"--out={whole}"]) == 4
    finally:
        part.write_bytes(content)
    assert f"{part} is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("corpus_of", "options", "sentence"),
    [
        ("nowhere", [CELLS], "no corpus at"),
        (".", ["--cells=torch-egaer-bf16"], "unknown cell 'torch-egaer-bf16': did you mean 'torch-eager-bf16'?"),
        (".", [CELLS, "--backend=nothing:Here"], "no module 'nothing'"),
        ("0/0.png", [CELLS], "expected a folder of image files, a .parquet file, or a folder of them"),
    ],
)
def test_bad_input(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], corpus_of: str, options: list[str], sentence: str
) -> None:
    """One sentence, before anything is computed."""
    assert main([str(corpus / corpus_of), *options, *HERE, f"--out={tmp_path}/out"]) == 4
    assert sentence in capsys.readouterr().err and not (tmp_path / "out" / "parts").exists()


def test_names_of_cells() -> None:
    """A report's id, the same without the model, or the usual preprocessor and device left out."""
    cells = named("scenes-s", "", ["scenes-s-torch-eager-fp32-opencv-area-cpu", "onnxruntime-int8"])
    assert [str(cell) for cell in cells] == [
        "scenes-s-torch-eager-fp32-opencv-area-cpu",
        "scenes-s-onnxruntime-int8-original_clip-cpu",
    ]


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")  # Ray's, about settings of its own
def test_a_worker_that_dies_is_replaced(corpus: Path, tmp_path: Path) -> None:
    """On Ray Data: no part is lost, none is there twice, and each process has the threads that it is to have."""
    pytest.importorskip("ray.data", reason="ray is not installed: pip install 'clip-conformance[corpus]'")
    source, left = Folder.of(corpus), tmp_path / "left"
    tasks: list[work.Task] = [{"number": i, "start": i, "source": source.part(i, i + 1)} for i in range(6)]
    engine = Engine(workers=2, threads=1)
    with engine.running():
        found = list(engine.run(Dying, (2, left), tasks))
    assert left.exists() and sorted(row["number"] for row in found) == [*range(6)]
    assert {row["content"].decode() for row in found} == {f"1 {name}" for name in source.names[:6]}
    with Engine(workers=0, threads=1).running():
        alone = list(Engine(workers=0, threads=1).run(Dying, (2, left), tasks))
    assert sorted(alone, key=lambda row: row["number"]) == sorted(found, key=lambda row: row["number"])
