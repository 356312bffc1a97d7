"""The canary's kit: what a service gives is judged with NumPy alone, and each planted fault is seen."""

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fixtures.registry import backends
from plugins.canary.__main__ import main
from plugins.canary.check import Verdict, check, load
from plugins.canary.kit import LARGEST
from plugins.subjects import Subjects
from suites.selftest.patience import HANG_S
from suites.studies.canary.service import functions

Service = tuple[Callable[[Any], Any], ...]


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


def test_a_sound_service_is_good(kit: Path, service: Service) -> None:
    """Raw or normalised, lists or arrays; asked one by one or many at once."""
    image, text, images, texts = service

    def unit(vectors: Any) -> list[Any]:
        found: list[Any] = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).tolist()
        return found

    assert check(image, text, images, texts, kit)
    assert check(lambda file: unit(image(file)), lambda words: unit(text(words)), folder=kit)
    verdict = check(image, text, folder=kit)
    assert "good: " in str(verdict) and verdict.worst["value"] <= verdict.worst["limit"]


def faulty(service: Service) -> dict[str, tuple[Service, str]]:
    """A service with each fault, and what the verdict says."""
    image, text, images, texts = service
    calls = iter(range(10**6))
    return {
        "another text": ((image, lambda words: text(words + "s"), images, texts), "cosine distance"),
        "longer": ((lambda file: image(file) * 1.01, text, images, texts), "relative difference in length 0.01"),
        "NaN": ((lambda file: image(file) * np.nan, text, images, texts), "NaN or Inf"),
        "half of it": ((lambda file: image(file)[::2], text, images, texts), "numbers, expected"),
        "neighbours in lists": ((image, text, images, lambda words: texts(words)[::-1]), " at once: cosine distance"),
        "one too few": ((image, text, lambda files: images(files)[1:], texts), "ValueError"),
        "wrong once": ((image, lambda words: text(words) * (-1) ** (next(calls) == 30), images, texts), "cosine distance 2"),
    }


@pytest.mark.parametrize("fault", ["another text", "longer", "NaN", "half of it", "neighbours in lists", "one too few"])
def test_a_fault_is_bad(kit: Path, service: Service, fault: str) -> None:
    """And named: which input, how it was asked for, by how much."""
    (image, text, images, texts), says = faulty(service)[fault]
    verdict = check(image, text, images, texts, kit)
    assert not verdict and says in str(verdict), verdict


def test_late_and_shared_answers(kit: Path, service: Service) -> None:
    """One wrong call of many, and an answer that later calls change."""
    image, text, *_ = faulty(service)["wrong once"][0]
    assert not check(image, text, folder=kit)
    shared = np.zeros(image(load(kit)[0][0].given).shape, np.float32)

    def one(file: bytes) -> Any:
        shared[:] = image(file)
        return shared

    assert not check(one, service[1], folder=kit)


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
