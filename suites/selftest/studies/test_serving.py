"""The serving study sees what it is for: stalled servers, wrong vectors, mixed rows, slow first batches, claims either way."""

import itertools
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fixtures.backends.torch_dynamic_int8 import SEVEN_BITS, TorchDynamicInt8
from fixtures.capability import TOWERS, Array, Tower
from fixtures.cell_names import short
from fixtures.cells import EncoderKey
from fixtures.datasets import Dataset
from fixtures.errors import BadInput, Unavailable
from plugins.golden.verified import Golden
from plugins.measures.latency.open_loop import Answer, arrivals, drive, figures
from plugins.measures.latency.steady import WarmUp
from suites.selftest.planted import tiny as registered
from suites.studies.serving import __main__ as command
from suites.studies.serving import cold, indexing
from suites.studies.serving.choice import DEFAULT, MORE, chosen
from suites.studies.serving.claims import CLAIMS, FEWEST, Claim, by_how_much, counted, judged
from suites.studies.serving.documents import Documents, Lap, Pool, Subject, pool, untimed
from suites.studies.serving.image_server import download, image_server
from suites.studies.serving.indexing import Index, measured, reader
from suites.studies.serving.load import loaded
from suites.studies.serving.note import compared, enclosed
from suites.studies.serving.run import Effort, Kept

COUNT, WIDTH = 12, 8
RNG = np.random.default_rng(0)
TRUTH = RNG.normal(size=(COUNT, WIDTH)).astype(np.float32)
LIMITS = {"fp32": {tower: {"cosine_distance": {"limit": 1e-9}} for tower in TOWERS}}
GOLDEN = Golden(TRUTH, TRUTH, (), np.zeros((0, 3, 1, 1), np.float32), LIMITS, {})
POOL = Pool([*range(COUNT)], [f"text {i}" for i in range(COUNT)], [str(i) for i in range(COUNT)])
Change = Callable[[Array], Array]


class Played(Subject):
    """Has golden's vector for each document, `change`d in requests of several documents."""

    def __init__(self, change: Change = lambda found: found, backend: str = "torch-eager", work_s: float = 0.0) -> None:
        super().__init__(EncoderKey("m", backend, "fp32", "cpu"), "played", GOLDEN)
        self.change, self.work_s, self.sizes = change, work_s, list[int]()

    def embed(self, documents: Documents, tower: Tower, lap: Lap = untimed) -> Array:
        self.sizes.append(len(documents))
        time.sleep(self.work_s)
        found = TRUTH[[int(one) for one in documents]].copy()
        lap("encode")
        return self.change(found) if len(documents) > 1 else found

    def first(self, pool: Pool, tower: Tower) -> WarmUp:
        return WarmUp(1.0, 0, 1.0)


def indexed(subject: Subject, size: int = 4) -> indexing.Row:
    """A row of the subject."""
    return measured(subject, POOL, reader(POOL, "memory", Path(), ""), "text", "memory", size, seconds=0.02)


def shown(folder: Path, **parts: Any) -> int:
    """The exit code of a run that found this."""
    head = {"command": "make serving", "date": "2026-11-30", "commit": "abc", "environment": {"cpu": "a cpu", "cores": 2}}
    about = {"quick": True, "seconds": 1.0, "others_cores": 0.5, "model": {"name": "m"}, "on_time_ms": 100, "left_out": []}
    return command.show({**head, **about, **parts}, folder / "serving.json")


def test_waiting_counts_from_the_scheduled_arrival() -> None:
    """One call of 60 stalls. Whoever is due meanwhile waits, though no other call takes long."""
    due = np.arange(60, dtype=np.float64) * 0.005

    def call(i: int) -> int:
        time.sleep(0.3 if i == 10 else 0)
        return i

    answers = drive(call, due, clients=1, give_up_s=60.0)
    found = figures(answers, [True] * 60, 0.3, on_time_s=0.1)
    assert [answer.found for answer in answers] == [*range(60)]
    assert found["p99"] >= 290 and found["late"] >= 30  # those that were due in the first 0.2 s of the stall
    took = sorted(answer.ended - answer.sent for answer in answers)
    assert took[-1] >= 0.3 and took[30] < 0.1  # what a client that waits would have reported


def test_a_server_that_cannot_keep_up_is_given_up() -> None:
    """What no client could send in time is unanswered, and has waited until then."""

    def slow(i: int) -> int:
        time.sleep(0.05)
        return i

    answers = drive(slow, np.zeros(50), clients=2, give_up_s=0.2)
    found = figures(answers, [True] * 50, 0.2, on_time_s=10.0)
    assert found["unanswered"] >= 30 and found["saturated"] and found["p99"] >= 200
    assert found["requests"] == 50 and found["goodput"] == found["throughput"]


def test_arrivals_are_random_at_the_rate() -> None:
    """Gaps of a Poisson process: their mean is one over the rate, and so is their spread."""
    due = arrivals(200.0, 50.0, np.random.default_rng(0))
    gaps = np.diff(due)
    assert due[0] >= 0 and due[-1] < 50 and (gaps >= 0).all()
    assert abs(len(due) / 50 / 200 - 1) < 0.05 and abs(gaps.std() * 200 - 1) < 0.05
    (one,) = arrivals(0.001, 1.0, np.random.default_rng(0))
    assert 0 <= one < 1


def test_goodput_is_on_time_and_right() -> None:
    """Wrong, late, refused and unanswered ones are no goodput; refused ones are in no percentile."""
    good = [Answer(0.0, 0.0, 0.01, "v")] * 5
    others = [
        Answer(0.0, 0.0, 0.01, "v"),
        Answer(0.0, 0.0, 0.5, "v"),
        Answer(0.0, 0.0, 0.001, None, "no"),
        Answer(0.0, 0.9, 0.9),
    ]
    found = figures([*good, *others], [True] * 5 + [False, True, False, False], 1.0, on_time_s=0.1)
    assert (found["goodput"], found["throughput"], found["offered"]) == (5, 7, 9)
    assert (found["wrong"], found["late"], found["refused"], found["unanswered"]) == (1, 2, 1, 1)
    assert found["p50"] == pytest.approx(10) and found["p99"] == pytest.approx(900)


def test_wrong_vectors_under_load_are_seen() -> None:
    """Of a subject that has the vector of another document for each third request."""
    count = itertools.count(1)

    class Mixes(Played):
        def embed(self, documents: Documents, tower: Tower, lap: Lap = untimed) -> Array:
            found = super().embed(documents, tower, lap)
            return np.roll(TRUTH, 1, axis=0)[[int(documents[0])]] if next(count) % 3 == 0 else found

    for kind, share in ((Played, 0.0), (Mixes, 1 / 3)):
        rows = [*loaded(kind(work_s=0.002), {"text": POOL}, [2], 0.1, on_time_s=60.0, step=lambda _: None)]
        wrong, requests = (sum(row[name] for row in rows) for name in ("wrong", "requests"))
        assert requests > 10 and abs(wrong / requests - share) < 0.1
        assert all((row["goodput"] < row["throughput"]) is (row["wrong"] > 0) for row in rows)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (lambda found: found, False),
        (lambda found: 3 * found, False),  # another length: the index holds unit vectors
        (lambda found: found[::-1], True),
        (lambda found: np.concatenate([found[:1], found[:-1]]), True),
        (lambda found: found + np.float32(1e-3), True),
        (lambda found: np.full_like(found, np.nan), True),
    ],
)
def test_mixed_rows_are_red(tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Change, broken: bool) -> None:
    """Vectors that came out of the index are not those of single requests: exit code 1, and who it was."""
    row = indexed(Played(change))
    assert row["equal"]["broken"] is broken and row["equal"]["compared"] == 4 * row["batches"]
    assert shown(tmp_path, indexing=[{"first": {"text": WarmUp(1.0, 0, 1.0).figures}, "rows": [row]}]) == int(broken)
    assert ("WRONG: played, texts from memory in batches of 4" in capsys.readouterr().out) is broken
    assert ("**broken**" in (tmp_path / "serving.md").read_text()) is broken


def test_an_index_that_mixes_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    """Right vectors under other documents' ids."""
    add = Index.add
    monkeypatch.setattr(Index, "add", lambda self, ids, vectors: add(self, ids, vectors[::-1]))
    assert indexed(Played())["equal"]["broken"]


def test_a_declared_dependence_is_not_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a backend that declares E4 for images alone."""
    monkeypatch.setattr(TorchDynamicInt8, "known_failures", {"E4:image": SEVEN_BITS})
    for tower, code in (("image", 0), ("text", 1)):
        one = Played(lambda found: found[::-1], backend="torch-dynamic-int8")
        row = measured(one, POOL, reader(POOL, "memory", Path(), ""), tower, "memory", 4, seconds=0.02)  # type: ignore[arg-type]
        assert row["equal"]["broken"]
        assert shown(tmp_path, indexing=[{"first": {tower: WarmUp(1.0, 0, 1.0).figures}, "rows": [row]}]) == code


def test_batches_are_split_as_a_service_takes_them() -> None:
    """And everything is stored."""
    one = Played()
    one.max_batch = 3
    row = indexed(one, size=8)
    assert {*one.sizes} == {3, 2, 1} and row["equal"]["compared"] == 8 * row["batches"]  # 1: alone
    assert {*row["stages"]} == {"read", "encode", "index"}


def test_files_that_a_service_does_not_take_are_not_sent(tmp_path: Path) -> None:
    """The others are; if there is none, the reason is one sentence."""
    (tmp_path / "images").mkdir()
    for name in ("a.avif", "b.JPG"):
        (tmp_path / "images" / name).touch()
    dataset = Dataset(tmp_path, ("a.avif", "b.JPG"), (), ())
    subjects: Any = SimpleNamespace(dataset=dataset, trait=lambda _: "opaque")
    one = Played()
    assert pool(subjects, "image", 9, one.takes).names == ["a.avif", "b.JPG"]
    one.image_types = (".jpg",)
    assert pool(subjects, "image", 9, one.takes).names == ["b.JPG"]
    one.image_types = (".png",)
    with pytest.raises(Unavailable, match="has no opaque scene of a type that it takes"):
        pool(subjects, "image", 9, one.takes)


def test_first_batches_stand_apart() -> None:
    """What the first batches cost is not in the steady state."""
    waits = itertools.chain([0.1, 0.1], itertools.repeat(0.001))

    class Slow(Played):
        def embed(self, documents: Documents, tower: Tower, lap: Lap = untimed) -> Array:
            time.sleep(next(waits) if len(documents) > 1 else 0)
            return super().embed(documents, tower, lap)

    row = measured(Slow(), POOL, reader(POOL, "memory", Path(), ""), "text", "memory", 4, seconds=5.0)
    assert row["first"] >= 25 and row["first"] > 3 * row["steady"] and row["batches_to_steady"] >= 2
    assert row["stages"]["encode"] < row["first"] / 3


def test_images_over_http_are_the_files(tmp_path: Path) -> None:
    """Byte for byte, under names that need quoting."""
    (tmp_path / "a b#é.jpg").write_bytes(bytes(range(256)))
    with image_server(tmp_path) as address:
        assert download(address, "a b#é.jpg") == bytes(range(256))
        with pytest.raises(OSError, match="404"):
            download(address, "none.jpg")


def work(times: int) -> Callable[[], int]:
    """Takes `times` as long as 1."""
    return lambda: sum(range(20_000 * times))


def test_claims_are_judged_both_ways() -> None:
    """By times measured in alternation: what is three times as fast, what takes three times as long."""
    rng = np.random.default_rng(0)
    faster = judged("at once", compared(work(3), work(1), 0.05, rng))
    slower = judged("at once", compared(work(1), work(3), 0.05, rng))
    assert (faster["verdict"], slower["verdict"]) == ("true", "false") and faster["n"] >= FEWEST
    assert "times as fast" in by_how_much(faster) and "times as long" in by_how_much(slower)
    ten = judged("persistent", compared(work(3), work(1), 0.05, rng))
    assert ten["verdict"] == "false" and by_how_much(ten).endswith("times as fast, claimed 10 times")


@pytest.mark.parametrize(
    ("low", "high", "n", "verdict"),
    [
        (110, 400, 6, "true"),
        (110, 400, 5, "not clear"),
        (90, 400, 6, "not clear"),
        (110, 600, 9, "not clear"),
        (10, 90, 6, "false"),
        (600, 700, 6, "false"),
    ],
)
def test_a_verdict_needs_the_whole_interval(low: float, high: float, n: int, verdict: str) -> None:
    """And pairs enough."""
    assert Claim("", "", "", "ms", 100, 500).verdict(low, high, n) == verdict


def test_counts_and_gaps_on_the_page(tmp_path: Path) -> None:
    """A count has no interval; what is not measured says why; a pipe in a claim would end its cell."""
    rows = [counted("size of ViT-B-16", 149.62), counted("size of ViT-B-32", 151.28), judged("batch", enclosed([6.0] * 6))]
    assert [row["verdict"] for row in rows] == ["false", "true", "true"]
    claims = {"model": "m", "device": "cpu", "rows": [*rows, {"claim": "fp16", "left_out": "no fp16 here"}], "starts": []}
    left = [{"subject": "x-fp32", "section": "load", "reason": "package 'x' is not installed: pip install x", "failed": False}]
    assert shown(tmp_path, claims=claims, left_out=left) == 0
    text = (tmp_path / "serving.md").read_text()
    assert "| 149.6 million |  |  | **false** |" in text and "no fp16 here" in text and "pip install x" in text
    assert shown(tmp_path, left_out=[{**left[0], "failed": True}]) == 1
    assert not any("|" in part for claim in CLAIMS.values() for part in (claim.quote, claim.source, claim.measured))


def test_a_new_process_is_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part of the program that is slow shows in its own part of the seconds."""
    modules = {
        "open_clip.py": """
import time
time.sleep(0.2)
class Tensor:
    unsqueeze = to = lambda self, _: self
    cpu = lambda self: self
class Texts(list, Tensor): pass
class Model:
    def eval(self): pass
    def encode_image(self, x): time.sleep(0.4); return x
    def encode_text(self, x): time.sleep(0.1 * len(x)); return x
def create_model_and_transforms(name, device):
    assert name == 'local-dir:here'
    time.sleep(0.3)
    return Model(), None, lambda image: Tensor()
get_tokenizer = lambda name: Texts
""",
        "torch.py": "from contextlib import nullcontext as inference_mode",
        "PIL/__init__.py": "",
        "PIL/Image.py": "open = str",
    }
    for name, text in modules.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = cold.start(Path("here"), Path("image"), ["a", "b", "c"], 1, "cpu")
    planted = {"imports": 0.2, "load": 0.3, "first_image": 0.4, "first_labels": 0.1, "other_labels": 0.2}
    assert all(seconds <= found[part] for part, seconds in planted.items())  # type: ignore[literal-required]
    assert found["process"] > 0 and sum(found[part] for part in cold.PARTS) == pytest.approx(found["total"])  # type: ignore[literal-required]
    with pytest.raises(RuntimeError, match="AssertionError"):
        cold.start(Path("elsewhere"), Path("image"), ["a"], 1, "cpu")


def test_names_of_cells() -> None:
    """As they are typed: the end may be left out, or it is a report's id; a misspelt one is refused with the nearest."""
    assert [short(key) for key in chosen([*DEFAULT, *MORE], "m")] == [*DEFAULT, *MORE]
    assert [short(key) for key in chosen(["torch-eager", "torch-eager-fp32-original_clip-cpu"], "m")] == ["torch-eager-fp32"]
    assert [short(key) for key in chosen(["m-torch-eager-bf16-original_clip-cpu"], "m")] == ["torch-eager-bf16"]
    planted = chosen(["suites.selftest.planted.services:RightService"], "m")
    assert [short(key) for key in planted] == ["right-fp32"]
    with pytest.raises(BadInput, match="unknown cell 'onnxruntime-fp33': did you mean 'onnxruntime-fp32'"):
        chosen(["onnxruntime-fp33"], "m")


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    """Finished pieces are read back as they would be from JSON."""
    Kept(tmp_path / "kept.jsonl").put("load x", [{"a": (1, 2)}])
    again = Kept(tmp_path / "kept.jsonl")
    assert again.known == {"load x": [{"a": [1, 2]}]}
    again.forget()
    assert Kept(tmp_path / "kept.jsonl").known == {}


def test_a_run(tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """From the command to the page: a cell, a service that embeds one of equal documents alone, and one that is not there."""
    registered.pytest_configure()
    chosen = dict(option.removeprefix("--").split("=", 1) for option in tiny if "=" in option)
    shutil.copytree(chosen["golden"], tmp_path / "golden")
    monkeypatch.setattr(command, "CACHE", tmp_path)
    monkeypatch.setattr(command, "QUICK_EFFORT", Effort(6, (1, 8), 0.01, (2,), 0.05, 1, 0.01, False))
    monkeypatch.delenv("PLAIN_HTTP_URL", raising=False)
    model = [f"--{name}={chosen[name]}" for name in ("model", "pretrained", "dataset")]
    cells = "torch-eager-fp32,suites.selftest.planted.services:TwinsService,plain-http"
    code = command.main(["-q", "-c", cells, "-o", "indexing,load,probabilities", *model, f"--golden={tmp_path}/golden"])
    said, text = capsys.readouterr().out, (tmp_path / "golden" / "evidence" / "serving.md").read_text()
    assert code == 1 and "WRONG: twins-fp32, texts from memory in batches of 8" in said and "WRONG: torch-eager" not in said
    assert "no server is named: set PLAIN_HTTP_URL" in said and "| `torch-eager-fp32` | image | HTTP |" in text
    assert (tmp_path / "golden" / "evidence" / "serving.svg").exists() and "![Latency and goodput](serving.svg)" in text
