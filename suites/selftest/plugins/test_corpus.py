"""A corpus: its parts survive kills, add up to one answer, and belong to it."""

import multiprocessing
import os
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from fixtures.backends.torch_eager import TorchEager
from fixtures.capability import Array, Encoder, Geometry
from fixtures.errors import BadInput
from fixtures.models import Model
from fixtures.preprocessors.original_clip import OriginalClip
from fixtures.registry import backends, preprocessors
from plugins.corpus import work
from plugins.corpus.cells import named, register
from plugins.corpus.engine import Engine, chosen
from plugins.corpus.sources import Folder
from suites.selftest.planted.dying_work import Dying
from suites.selftest.planted.outside import EXAMPLE
from suites.selftest.planted.small_corpus import IMAGES, QUERIES, answer, run, write
from suites.studies.faults.plants import Altered

pytest.importorskip("ddsketch", reason="ddsketch is not installed: pip install 'ddsketch[serialization]'")
CELLS = "--cells=torch-eager-bf16,torch-eager-fp32-opencv-cubic"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See write."""
    return write(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nobody disturbed."""
    out = tmp_path_factory.mktemp("out") / "whole"
    assert run(corpus, out, CELLS) == 1  # of so few images no class is given
    return out


def test_the_answer(whole: Path) -> None:
    """All images are counted, the one that nobody can read by its name; a page shows the worst."""
    found = answer(whole)
    assert (found["images"], found["compared"], found["unreadable"]["count"]) == (IMAGES, IMAGES - 1, 1)
    assert found["unreadable"]["first"][0].startswith("cut.png: image it cannot be decoded")
    low, cubic = found["cells"]
    assert (low["class"], cubic["class"]) == ("unjudged", "unjudged")
    assert 1e-7 < low["cosine_distance"]["median"] <= low["cosine_distance"]["max"] < 1e-2
    assert low["worst"][0]["cosine_distance"] == low["cosine_distance"]["max"] and low["beyond_round_off"] == IMAGES - 1
    assert low["flips"]["golden+cell"]["n"] == found["queries"] == QUERIES - 1  # the last of the evenly spaced is cut.png
    page = (whole / "corpus.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == IMAGES - 1 and low["worst"][0]["image"] in page


def test_parts_add_up(whole: Path, corpus: Path, tmp_path: Path) -> None:
    """One part or three: drift, flips and the worst are the same to the digit."""
    assert run(corpus, tmp_path / "one", CELLS, "--part=100") == 1
    assert len(list((tmp_path / "one" / "parts").iterdir())) == 1 and len(list((whole / "parts").iterdir())) == 3
    assert answer(tmp_path / "one") == answer(whole)


def dies_in_its_second_part(corpus: Path, out: Path) -> None:
    """The command, in a process of its own."""
    compare = work.Compare.__call__

    def dies(self: work.Compare, task: work.Task) -> work.Result:
        if task["number"] == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return compare(self, task)

    work.Compare.__call__ = dies  # type: ignore[method-assign]
    run(corpus, out, CELLS)


def test_a_killed_run_goes_on(whole: Path, corpus: Path, tmp_path: Path) -> None:
    """Its finished part is kept, the others are computed, and the answer is that of a run that nobody killed."""
    out = tmp_path / "out"
    process = multiprocessing.get_context("fork").Process(target=dies_in_its_second_part, args=(corpus, out))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    (first,) = (out / "parts").iterdir()
    before = first.stat().st_mtime_ns
    assert run(corpus, out, CELLS) == 1
    assert first.stat().st_mtime_ns == before and answer(out) == answer(whole)


def test_another_corpus_is_refused(whole: Path, corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One more image, other cells: one sentence that says what is other."""
    more = corpus / "more.png"
    more.write_bytes((corpus / "0" / "0.png").read_bytes())
    try:
        assert run(corpus, whole, CELLS) == 4
    finally:
        more.unlink()
    assert f"other number of images and images (number of images: {IMAGES} then, {IMAGES + 1} now)" in capsys.readouterr().err
    assert run(corpus, whole, "--cells=torch-eager-fp16") == 4
    assert "begun with other cells" in capsys.readouterr().err
    assert run(corpus, whole, CELLS) == 1


def test_pixels_of_another_form(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They cost their cell's images, and no more."""

    class Words(OriginalClip):
        name = "words"

        def transform(self, decoded: Any, geometry: Geometry) -> Array:
            return super().transform(decoded, geometry).astype(str)

    monkeypatch.setitem(preprocessors(), "words", Words())
    assert run(corpus, tmp_path / "out", "--cells=torch-eager-fp32,torch-eager-fp32-words") == 1
    good, bad = answer(tmp_path / "out")["cells"]
    assert (good["failed"]["count"], bad["failed"]["count"], bad["class"]) == (0, IMAGES - 1, "broken")


@pytest.mark.parametrize("sentence", ["could not be built: OSError: no engine here", "gave shape (1, 7) for 1 input (image)"])
def test_a_backend_that_fails(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sentence: str
) -> None:
    """One sentence with its name: of one that cannot be built, and of one whose vectors have another form."""

    class Fails(TorchEager):
        name = "fails"

        def load(self, model: Model, precision: str, device: str) -> Encoder:
            if "built" in sentence:
                raise OSError("no engine here")
            return Altered(super().load(model, precision, device), found=lambda x, tower: x[:, :7])

    monkeypatch.setitem(backends(), "fails", Fails())
    assert run(corpus, tmp_path / "out", "--cells=fails-fp32") == 4
    assert f"fails-fp32-cpu {sentence}" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["parts/00000001.safetensors", "queries/00000001.npz"])
def test_a_damaged_part_is_named(whole: Path, corpus: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """It is never taken for a finished one."""
    part = whole / name
    content = part.read_bytes()
    part.write_bytes(content[: len(content) // 2])
    try:
        assert run(corpus, whole, CELLS) == 4
    finally:
        part.write_bytes(content)
    assert f"{part} is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "option", "sentence"),
    [
        ("nowhere", CELLS, "no corpus at"),
        ("0/0.png", CELLS, "expected a folder of image files, a .parquet file, or a folder of them"),
        (".", "--cells=torch-egaer-bf16", "unknown cell 'torch-egaer-bf16': did you mean 'torch-eager-bf16'?"),
        (".", "--cells=onnxruntime-int8-cuda", "unknown cell 'onnxruntime-int8-cuda'"),
        (".", "--cells=,", "no cell is named"),
    ],
)
def test_bad_input(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str, option: str, sentence: str
) -> None:
    """One sentence, before anything is computed."""
    assert run(corpus / place, tmp_path / "out", option) == 4
    assert sentence in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_names_of_cells() -> None:
    """A report's id, or the same without the model, whose end may be left out; a cell that is named twice is meant once."""
    names = ["scenes-s-torch-eager-fp32-opencv-area-cpu", "torch-eager-fp32-opencv-area", "torch-eager", "onnxruntime-int8"]
    assert [str(cell) for cell in named("scenes-s", "", names)] == [
        "scenes-s-torch-eager-fp32-opencv-area-cpu",
        "scenes-s-torch-eager-fp32-original_clip-cpu",
        "scenes-s-onnxruntime-int8-original_clip-cpu",
    ]


def test_out_is_a_file(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It stays as it is."""
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    assert run(corpus, tmp_path / "out", CELLS) == 4
    assert "out cannot be a folder (File exists): name one that you may write to" in capsys.readouterr().err
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"


def test_a_backend_with_the_name_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused: the cells of that name would be the other's. The same class may be named again."""
    (tmp_path / "ours_again.py").write_text(EXAMPLE.replace('name = "http"', 'name = "onnxruntime"'), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BadInput, match="ours_again:HttpBackend has the `name` 'onnxruntime', which fixtures"):
        register(["ours_again:HttpBackend"])
    register(["fixtures.backends.onnxruntime:OnnxRuntime"] * 2)


def test_without_ray(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """By default this process does all; who asks for workers is told what to install."""
    monkeypatch.setattr("plugins.corpus.engine.find_spec", lambda name: None)
    assert chosen(None, 1, None, parts=100, gpu=False) == Engine(0, 1)
    assert run(corpus, tmp_path / "out", CELLS, "--workers=2") == 4
    assert "package 'ray' is not installed: pip install" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("gpu", "resources", "room"),
    [(False, {"CPU": 9.0}, 4), (False, {}, 0), (True, {"CPU": 16.0, "GPU": 3.0}, 3), (True, {"CPU": 4.0, "GPU": 8.0}, 2)],
)
def test_room_in_a_cluster(gpu: bool, resources: dict[str, float], room: int) -> None:
    """A worker with a GPU needs its cores too: more workers than there is room for would wait for ever."""
    assert Engine(workers=8, threads=2, gpu=gpu).room(resources) == room


def test_without_pyarrow(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only what is Parquet needs it."""
    (tmp_path / "one.parquet").touch()
    monkeypatch.setattr("importlib.util.find_spec", lambda name, _=find_spec: None if name == "pyarrow" else _(name))
    assert run(tmp_path / "one.parquet", tmp_path / "out", CELLS) == 4
    assert run(corpus, tmp_path / "out", CELLS, f"--stored={tmp_path / 'one.parquet'}") == 4
    assert capsys.readouterr().err.count("package 'pyarrow' is not installed: pip install") == 2


@pytest.mark.long  # Ray takes half a minute to start
@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")  # Ray's, about settings of its own
def test_a_worker_that_dies_is_replaced(corpus: Path, tmp_path: Path) -> None:
    """On Ray Data: no part is lost, none is there twice, and each process has the threads that it is to have."""
    pytest.importorskip("ray.data", reason="ray is not installed: pip install 'ray[data]'")
    source, left = Folder.of(corpus), tmp_path / "left"
    tasks: list[work.Task] = [{"number": i, "start": i, "source": source.part(i, i + 1)} for i in range(6)]
    engine, alone = Engine(workers=2, threads=1), Engine(workers=0, threads=1)
    with engine.running():
        found = list(engine.run(Dying, (2, left), tasks))
    with alone.running():
        wanted = list(alone.run(Dying, (2, left), tasks))
    assert left.exists() and [row["number"] for row in wanted] == [*range(6)]
    assert sorted(found, key=lambda row: row["number"]) == wanted
