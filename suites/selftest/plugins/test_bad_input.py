"""Bad input ends in one clear sentence and an exit code that is not 0."""

import json
import re
import shutil
from pathlib import Path

import pytest

from fixtures import ROOT
from suites.selftest.conftest import TINY, Run
from suites.selftest.one_sentence import sentence

ONE = "suites/embeddings/test_encoder.py"
FEW = ("--backend", "torch-eager", "--precision", "fp32")


@pytest.mark.parametrize(
    ("args", "parts"),
    [
        (("--backend", "onnxrutime"), ("unknown backend 'onnxrutime'", "did you mean 'onnxruntime'?")),
        (("--precision", "fp61"), ("unknown precision 'fp61'", "did you mean 'fp16'?")),
        (("--preprocessor", "orginal_clip"), ("unknown preprocessor", "did you mean 'original_clip'?")),
        (("--model", "ViT-B-23", "--pretrained", "random:0", *FEW), ("unknown model 'ViT-B-23'", "did you mean")),
        (("--model", "ViT-B-32", "--pretrained", "opena", *FEW), ("unknown pretrained tag 'opena'", "did you mean 'openai'?")),
        (("--model", "ViT-B-32", "--pretrained", "missing.pt", *FEW), ("checkpoint 'missing.pt' does not exist",)),
        (("--model", "ViT-B-32", "--pretrained", "random:x", *FEW), ("found seed 'x'", "expected a number")),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) and value[0].startswith("--") else "",
)
def test_unknown_names(run: Run, args: tuple[str, ...], parts: tuple[str, ...]) -> None:
    """A misspelt name is answered with the nearest one."""
    sentence(run(ONE, *args), *parts)


def test_checkpoint_that_is_no_clip(run: Run, tmp_path: Path) -> None:
    """A file that holds other weights is refused."""
    import torch

    path = tmp_path / "other.pt"
    torch.save({"weight": torch.zeros(3)}, path)
    sentence(run(ONE, *FEW, "--model", "ViT-B-32", f"--pretrained={path}"), "is not a CLIP checkpoint", "expected a state dict")


def test_checkpoint_that_is_no_checkpoint(run: Run, tmp_path: Path) -> None:
    """So is a file of something else."""
    path = tmp_path / "text.pt"
    path.write_text("hello")
    sentence(run(ONE, *FEW, "--model", "ViT-B-32", f"--pretrained={path}"), "is not a CLIP checkpoint")


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """A copy of the golden data that may be damaged."""
    return Path(shutil.copytree(ROOT / "golden" / "scenes-s", tmp_path / "golden" / "scenes-s"))


@pytest.mark.parametrize(
    ("field", "parts"),
    [
        ("weights_sha256", ("weights in use", "are not those that scenes-s golden was made from")),
        ("tokens_sha256", ("tokens of the tokeniser in use", "are not those")),
    ],
)
def test_what_is_not_goldens(run: Run, golden: Path, field: str, parts: tuple[str, ...]) -> None:
    """Golden vectors of other weights, or of another tokeniser, context length or truncation, are never compared with."""
    manifest = json.loads((golden / "manifest.json").read_text())
    manifest[field] = "0" * 64
    (golden / "manifest.json").write_text(json.dumps(manifest))
    sentence(run(ONE, *FEW, f"--golden={golden.parent}"), *parts)


def test_a_manifest_that_lacks_something(run: Run, golden: Path) -> None:
    """As after a merge by hand."""
    manifest = json.loads((golden / "manifest.json").read_text())
    del manifest["tokens_sha256"]
    (golden / "manifest.json").write_text(json.dumps(manifest))
    sentence(run(ONE, *FEW, f"--golden={golden.parent}"), "manifest.json cannot be read (it has no tokens_sha256)")


def test_golden_cut_in_half(run: Run, golden: Path) -> None:
    """A damaged golden file is named, with what to do."""
    path = golden / "vectors.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    sentence(run(ONE, *FEW, f"--golden={golden.parent}"), "vectors.safetensors is damaged", "restore it from git")


def test_no_golden(run: Run, tmp_path: Path) -> None:
    """Without golden data the run fails and says how to make them."""
    sentence(run(ONE, *FEW, f"--golden={tmp_path}"), "no golden data", "pytest --update-golden")


def test_truncated_image_beside_golden_data(run: Run, dataset: Path, golden: Path) -> None:
    """The damaged file is named, rather than a hash that does not match."""
    golden.rename(golden.with_name("scenes-s+mine"))
    path = dataset / "images" / "scene_001.jpg"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    sentence(run(ONE, *FEW, f"--dataset={dataset}", f"--golden={golden.parent}"), "scene_001.jpg", "cannot be decoded")


def test_other_images_than_goldens(run: Run, dataset: Path, golden: Path) -> None:
    """Golden vectors of other images are an error, never a comparison."""
    golden.rename(golden.with_name("scenes-s+mine"))
    sentence(run(ONE, *FEW, f"--dataset={dataset}", f"--golden={golden.parent}"), "data set in use", "are not those")


def test_truncated_image(run: Run, dataset: Path) -> None:
    """A damaged image file is named."""
    path = dataset / "images" / "scene_000.jpg"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    sentence(run("--update-golden", *FEW, f"--dataset={dataset}", f"--golden={dataset}"), "scene_000.jpg", "cannot be decoded")


@pytest.mark.parametrize(
    ("text", "part"),
    [("", "is empty"), ("{", "is not a JSON object"), ('{"text": "x", "images": ["y.jpg"]}', "the first is y.jpg")],
)
def test_captions(run: Run, dataset: Path, text: str, part: str) -> None:
    """An empty or broken caption file, or one that names missing images, is refused."""
    (dataset / "captions.jsonl").write_text(text)
    sentence(run(ONE, *FEW, f"--dataset={dataset}"), part)


def test_update_golden_fails_the_run_that_wrote(run: Run, dataset: Path, tmp_path: Path) -> None:
    """`--update-golden` writes, says what it changed, and exits 1; the next run compares and passes."""
    given = (*FEW, *TINY, f"--dataset={dataset}", f"--golden={tmp_path}/new")
    written = run("--update-golden", *given)
    assert written.returncode == 1
    assert "new golden data of 3 images and 13 texts\n  there were none before" in written.stdout
    assert "! golden data were rewritten, and nothing was tested: check the diff" in written.stdout
    again = run(ONE, *given)
    assert again.returncode == 0, again.stdout[-3000:]


def test_gpu_without_a_device(run: Run) -> None:
    """`pytest -m gpu` on a machine without CUDA is a failure, never a green nothing."""
    from fixtures.machine.devices import cuda_count

    if cuda_count():
        pytest.skip("this machine has a CUDA device: run the gpu suite itself")
    result = run("-m", "gpu")
    sentence(result, "gpu cells could run: no CUDA device")
    assert re.search(r"\b0 of [1-9]\d+ gpu cells", result.stdout + result.stderr)
