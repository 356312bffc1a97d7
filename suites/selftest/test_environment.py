"""Where facts come from, `pytest --environment`, and a cell whose versions conflict."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures import devices, libraries
from fixtures.driver import Driver, Gpu
from fixtures.facts import Facts
from plugins import environment
from plugins.matrix import EncoderKey
from suites.selftest.conftest import ROOT, Run

# A driver 535 for CUDA 12.2 with one A10, as far as the calls that are made can tell.
LIBCUDA = """
#include <string.h>
int cuDriverGetVersion(int *v) { *v = 12020; return 0; }
int cuInit(unsigned flags) { return 0; }
int cuDeviceGetCount(int *n) { *n = 1; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, "NVIDIA A10", size); return 0; }
int cuDeviceGetAttribute(int *v, int attribute, int device) { *v = attribute == 75 ? 8 : 6; return 0; }
"""
LIBNVML = """
#include <string.h>
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { strncpy(text, "535.104.05", size); return 0; }
"""
CONFLICT = """
from dataclasses import replace
import fixtures.versions
from fixtures.backends.onnxruntime import OnnxRuntime
here = fixtures.versions.facts()
planted = replace(here, packages={**here.packages, "onnxruntime": "1.31.1", "onnxruntime-gpu": "1.30.0"})
fixtures.versions.facts = lambda: planted
def load(*args):
    raise RuntimeError("load was called")
OnnxRuntime.load = load
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="never: shared libraries are planted as Linux finds them")


def compile_library(target: Path, source: str, *options: str) -> None:
    """A shared library of C source; its name inside is its file's."""
    command = ["cc", "-shared", "-fPIC", f"-Wl,-soname,{target.name}", "-x", "c", "-", "-o", str(target)]
    subprocess.run([*command, *options], input=source, text=True, check=True, capture_output=True)


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    """A folder with a planted driver."""
    compile_library(tmp_path / "libcuda.so.1", LIBCUDA)
    compile_library(tmp_path / "libnvidia-ml.so.1", LIBNVML)
    return tmp_path


@linux
def test_linked_libraries_are_read_from_the_file(tmp_path: Path) -> None:
    """What a provider cannot be loaded without stands in the file itself, whichever its version says it is."""
    compile_library(tmp_path / "libcudart.so.13", "int f(void) { return 0; }")
    compile_library(tmp_path / "libnvinfer.so.10", "int g(void) { return 0; }")
    provider, used = tmp_path / "libprovider.so", ["libcudart.so.13", "libnvinfer.so.10"]
    compile_library(provider, "int f(void); int g(void); int h(void) { return f() + g(); }",
                    f"-L{tmp_path}", "-Wl,--no-as-needed", *[f"-l:{name}" for name in used])  # fmt: skip
    assert libraries.linked(provider) == set(used)
    assert libraries.linked(tmp_path / "libcudart.so.13") == set()
    assert libraries.linked(Path(__file__)) == set(), "no ELF file"


@linux
def test_libraries_are_found_on_the_search_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library with its major in the name counts, others do not."""
    before = libraries.findable()
    for name in ("libcudnn.so.7", "libcudnn.so.7.6.5", "libcups.so.77", "libcudnn.so"):
        (tmp_path / name).touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    assert libraries.findable() - before == {"libcudnn.so.7"}


@linux
def test_a_driver_too_old_is_refused(run: Run, driver: Path) -> None:
    """The driver, its CUDA and its GPU are read without torch; cuda cells are refused and the command fails."""
    result = run("--environment", env={"LD_LIBRARY_PATH": str(driver)})
    assert result.returncode == 1, result.stdout
    assert "535.104.05, up to CUDA 12.2" in result.stdout
    assert "NVIDIA A10, compute capability 8.6" in result.stdout
    assert re.search(r"torch-eager +cuda +refused", result.stdout)
    assert re.search(r"torch-eager +cpu +usable", result.stdout)


def test_environment_prints_the_fingerprint(run: Run) -> None:
    """Every version and verdict, without a test being collected or torch imported; exit code 0."""
    result = run("--environment", "--device", "cpu", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert result.returncode == 0, result.stdout
    for package in ("torch", "numpy", "pytest"):
        assert re.search(rf"^  {package} +{re.escape(importlib.metadata.version(package))}$", result.stdout, re.MULTILINE)
    assert re.search(r"^  torch-eager +cpu +usable +fp32", result.stdout, re.MULTILINE)
    assert "0 refused" in result.stdout
    imported = set(re.findall(r"\| +([\w.]+)$", result.stderr, re.MULTILINE))
    assert "fixtures.facts" in imported
    assert not imported & {"torch", "onnxruntime", "transformers", "cv2"}


def test_environment_of_a_missing_package_and_of_an_unknown_name(run: Run) -> None:
    """A missing package is named with its command and fails nothing; a misspelt backend ends in one sentence."""
    absent = run(
        "--environment", "-p", "suites.selftest.odd_ones", "--backend", "absent", "--device", "cpu", env={"PLANT": "absent"}
    )
    assert absent.returncode == 0, absent.stdout
    assert "package 'no_such_package' is not installed: pip install no-such-package" in absent.stdout
    unknown = run("--environment", "--backend", "torch-eagre")
    assert unknown.returncode == 4
    assert "did you mean 'torch-eager'?" in unknown.stdout


def test_a_conflict_skips_the_cell_before_anything_is_built(run: Run, few: list[str], tmp_path: Path) -> None:
    """The reason is the sentence; `load` is not called; the other cells run."""
    (tmp_path / "conflict.py").write_text(CONFLICT)
    result = run("-p", "conflict", "suites/embeddings/test_cell.py", "--backend", "onnxruntime,torch-eager",
                 "--precision", "fp32", "--preprocessor", "original_clip", "--device", "cpu",
                 *few, env={"PYTHONPATH": f"{tmp_path}:{ROOT}"})  # fmt: skip
    assert result.returncode == 0, result.stdout[-3000:]
    cells = {cell["backend"]: cell for cell in json.loads((tmp_path / "report.json").read_text())["cells"]}
    assert cells["onnxruntime"]["verdict"] == "skipped"
    assert "found onnxruntime 1.31.1 and onnxruntime-gpu 1.30.0" in cells["onnxruntime"]["reason"]
    assert cells["torch-eager"]["verdict"] == "pass"


def test_fingerprint_names_driver_and_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What golden manifests and report.json keep; what a machine lacks is absent, not null."""
    for name in environment.FORCED:
        monkeypatch.delenv(name, raising=False)
    driver = Driver("580.65.06", (13, 0), (Gpu("A10", (8, 6)),))
    known = Facts({"torch": "2.15.0", "nvidia-cudnn-cu13": "9.26.0"}, (13, 2), driver, frozenset({"libcudnn.so.9"}))
    monkeypatch.setattr(environment, "facts", lambda: known)
    found = environment.fingerprint()
    assert (found["gpu"], found["driver"], found["driver_cuda"]) == ("A10, 580.65.06, 8.6", "580.65.06", "13.0")
    assert (found["torch_cuda"], found["cuda_libraries"]) == ("13.2", ["libcudnn.so.9"])
    assert found["packages"] == known.packages
    monkeypatch.setattr(environment, "facts", Facts)
    bare = environment.fingerprint()
    assert set(bare) == {"python", "os", "cpu", "cpu_isa", "cores", "gpu", "packages"}
    assert bare["gpu"] == "none"


@pytest.mark.parametrize(
    ("machine", "flags", "played", "saturates"),
    [
        ("x86_64", "avx2 avx512_vnni", "", False), ("x86_64", "avx2 avx_vnni", "", False), ("x86_64", "avx2", "", True),
        ("x86_64", "avx2 avx512f avx512_vnni amx_tile amx_int8", "", False), ("x86_64", "avx2 avx512f avx512bw", "", True),
        ("AMD64", "", "", True), ("arm64", "", "", False), ("aarch64", "asimd asimddp", "AVX2", False),
        ("x86_64", "avx2 avx512_vnni", "AVX2", "oneDNN alone"),
    ],
)  # fmt: skip
def test_int8_is_expected_to_saturate_on_old_processors_only(
    monkeypatch: pytest.MonkeyPatch, machine: str, flags: str, played: str, saturates: bool | str
) -> None:
    """There torchao's drift is a known failure; elsewhere it is a failure. onnxruntime's kernels are not oneDNN's."""
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(devices, "processor", lambda field: flags)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", played)
    known = EncoderKey("scenes-s", "torchao", "int8", "cpu").known_failures()
    assert ("E2" in known) == bool(saturates)
    assert devices.saturates_int8() == (saturates is True)
