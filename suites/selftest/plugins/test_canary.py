"""The canary's kit: what a service gives is judged with NumPy alone, and each planted fault is seen."""

import ast
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fixtures.capability import Geometry
from fixtures.preprocessors._shared import normalise
from fixtures.registry import backends
from plugins.canary.__main__ import main
from plugins.canary.check import Verdict, check, load
from plugins.canary.kit import LARGEST
from plugins.canary.made import mirrored
from plugins.measures.vectors.metrics import cosine_distance
from plugins.subjects import Subjects
from suites.selftest.patience import HANG_S
from suites.studies.canary.service import Paced, functions, pixels

Service = tuple[Callable[[Any], Any], ...]
CALL_S = 0.02  # of the clock of `asked`: some 45 calls one by one


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory, few: list[str]) -> Path:
    """Of the small data set, by the command."""
    out = tmp_path_factory.mktemp("canary") / "kit"
    assert main([f"--out={out}", *few]) == 0
    return out


@pytest.fixture(scope="module")
def service() -> Service:
    """A sound one: torch eager fp32."""
    model = Subjects().model
    return functions(model, backends()["torch-eager"].load(model, "fp32", "cpu"))


def asked(given: Service, kit: Path, lists: bool = True, call_s: float = CALL_S, **options: Any) -> Verdict:
    """The verdict on a service whose clock says `call_s` a call: the same calls on every machine."""
    service = Paced(given, call_s, call_s)
    images, texts = service.many if lists else (None, None)
    return check(*service.one, images, texts, kit, clock=service.clock, **options)


def test_a_sound_service_is_good(kit: Path, service: Service) -> None:
    """Raw or normalised, lists or arrays; asked one by one or many at once."""
    image, text, images, texts = service

    def unit(vectors: Any) -> list[Any]:
        found: list[Any] = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).tolist()
        return found

    assert check(image, text, images, texts, kit, seconds=0.1)
    assert asked((lambda file: unit(image(file)), lambda words: unit(text(words)), images, texts), kit, lists=False)
    verdict = asked(service, kit)
    assert "good: " in str(verdict) and verdict.worst["value"] <= verdict.worst["limit"]


def test_a_slow_service_is_asked_less(kit: Path, service: Service) -> None:
    """For each input once, however slow it is; and nothing that it has to refuse, if it is not to be."""
    slow, fast = (asked(service, kit, lists=False, call_s=seconds) for seconds in (10.0, 0.005))
    assert slow and slow.ways == ["in turn"] and slow.calls == sum(map(len, load(kit)))
    assert fast and {"in turn", "after a refused image", "from 4 threads", "in steps of 3"} < set(fast.ways)
    assert fast.calls > 5 * slow.calls and str(fast.calls) in str(fast)
    assert not any("refused" in way for way in asked(service, kit, refused=False).ways)


def test_pictures_of_blocks() -> None:
    """They have the levels that the picture has in the middle of each block, but for the uppermost, and are 8-bit files."""
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    clip = Geometry(64)
    one, other = (np.asarray(Image.open(io.BytesIO(file))) for file in mirrored(normalise(picture, clip), clip))
    assert (one[4::4, ::4] == picture[6::4, 2::4]).all() and (other == one[:, ::-1]).all()


def test_inputs_that_are_taken_for_one(kit: Path, service: Service) -> None:
    """A pair of pictures and one of texts differ, but not in what a careless cache looks at: beginning and mean."""
    model, (images, texts) = Subjects().model, load(kit)
    one, other = (pixels(model, each.given) for each in images[-2:])
    assert (one[:, :, ::-1] == other).all() and (one[:, 0] == other[:, 0]).all() and (one != other).any()
    first, second = (each.given.split() for each in texts[-3:-1])
    assert first != second and sorted(first) == sorted(second) and first[: len(first) // 2] == second[: len(second) // 2]
    for pair in (images[-2:], texts[-3:-1]):
        assert cosine_distance(*(each.vector[None] for each in pair))[0] > 100 * pair[0].cosine
    by_mean: dict[Any, Any] = {}
    verdict = asked((lambda file: by_mean.setdefault(pixels(model, file).mean().round(3), service[0](file)), *service[1:]), kit)
    assert not verdict and verdict.worst["input"] in {each.name for each in images[-2:]}


def after_trouble(image: Callable[[Any], Any], text: Callable[[Any], Any]) -> Service:
    """A service whose answer after a failed call is the one before it."""
    last: list[Any] = [None, False]

    def one(call: Callable[[Any], Any], given: Any) -> Any:
        try:
            found, troubled = call(given), last[1]
        except Exception:
            last[1] = True
            raise
        before, last[:] = last[0], [found, False]
        return before if troubled else found

    return lambda file: one(image, file), lambda words: one(text, words)


def faulty(service: Service) -> dict[str, tuple[Service, str]]:
    """A service with each fault, and what the verdict says."""
    image, text, images, texts = service
    calls = iter(range(10**6))
    return {
        "another text": ((image, lambda words: text(words + "s"), images, texts), "cosine distance"),
        "longer": ((lambda file: image(file) * 1.01, text, images, texts), "relative difference in length 0.01"),
        "NaN": ((lambda file: image(file) * np.nan, text, images, texts), "NaN or Inf"),
        "half of it": ((lambda file: image(file)[::2], text, images, texts), "numbers, expected"),
        "neighbours in lists": ((image, text, images, lambda words: texts(words)[::-1]), " at once"),
        "one too few": ((image, text, lambda files: images(files)[1:], texts), "ValueError"),
        "wrong after trouble": ((*after_trouble(image, text), images, texts), "after a refused"),
        "wrong once": ((image, lambda words: text(words) * (-1) ** (next(calls) == 15), images, texts), "cosine distance 2"),
    }


FAULTS = ("another text", "longer", "NaN", "half of it", "neighbours in lists", "one too few", "wrong after trouble")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_bad(kit: Path, service: Service, fault: str) -> None:
    """And named: which input, how it was asked for, by how much."""
    given, says = faulty(service)[fault]
    verdict = asked(given, kit)
    assert not verdict and says in str(verdict), verdict


def test_late_and_shared_answers(kit: Path, service: Service) -> None:
    """One wrong call of many, and an answer that later calls change."""
    assert not asked(faulty(service)["wrong once"][0], kit, lists=False)
    shared = np.zeros(load(kit)[0][0].vector.shape, np.float32)

    def one(file: bytes) -> Any:
        shared[:] = service[0](file)
        return shared

    assert not asked((one, *service[1:]), kit, lists=False)


def test_the_kit_stands_alone(kit: Path, tmp_path: Path) -> None:
    """Small, whole, and its Python file imports NumPy and the standard library only; its command line ends with a verdict."""
    assert sum(path.stat().st_size for path in kit.rglob("*") if path.is_file()) <= LARGEST
    tree = ast.walk(ast.parse((kit / "canary.py").read_text(encoding="utf-8")))
    names = {alias.name for node in tree if isinstance(node, ast.Import) for alias in node.names}
    assert names - set(sys.stdlib_module_names) == {"numpy"}
    (tmp_path / "silly.py").write_text("def image(file): return [0.0, 1.0]\ndef text(words): return [1.0, 0.0]\n")
    command = [sys.executable, str(kit / "canary.py"), "silly:image", "silly:text"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=HANG_S)
    assert done.returncode == 1 and done.stdout.startswith("bad: ") and "2 numbers, expected" in done.stdout, done.stderr


def test_a_damaged_kit_is_no_kit(kit: Path, service: Service, tmp_path: Path) -> None:
    """Whatever was changed: a limit, a vector, a file."""
    for name, change in (("canary.json", b'"precision": "fp32"'), ("images/0.png", b"PNG")):
        copy = tmp_path / name.replace("/", "-")
        shutil.copytree(kit, copy)
        whole = (copy / name).read_bytes()
        assert change in whole
        (copy / name).write_bytes(whole.replace(change, change.swapcase(), 1))
        with pytest.raises(ValueError, match="is not as it was written"):
            check(service[0], service[1], folder=copy)


def test_bad_input_is_one_sentence(kit: Path, few: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 4: a folder that is there, an unknown preprocessor."""
    assert main([f"--out={kit}", *few]) == 4 and "exists: expected a folder that" in capsys.readouterr().err
    assert main(["--out=nowhere", "--preprocessor=orginal_clip", *few]) == 4
    assert "did you mean 'original_clip'?" in capsys.readouterr().err and not Path("nowhere").exists()
    assert json.loads((kit / "canary.json").read_text())["schema"] == 1
    assert isinstance(check(lambda file: 1 / 0, lambda text: text, folder=kit), Verdict)
