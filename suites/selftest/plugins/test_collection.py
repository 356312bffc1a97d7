"""Collection is fast because it imports nothing heavy."""

import subprocess
import sys
from itertools import groupby

import pytest

from fixtures import ROOT
from fixtures.machine.devices import present
from fixtures.registry import backends
from plugins.cells.matrix import selection
from suites.selftest.patience import HANG_S
from suites.studies.gate_power.load import children_s

HEAVY = (
    "torch",
    "torchvision",
    "onnxruntime",
    "onnx",
    "cv2",
    "open_clip",
    "transformers",
    "tensorrt",
    "openvino",
    "scipy",
    "PIL",
    "cn_clip",
)
PROBE = """
import sys, pytest
code = pytest.main(["--collect-only", "-q"])
heavy = [name for name in {heavy!r} if name in sys.modules]
print("HEAVY", heavy)
sys.exit(int(code) or bool(heavy))
"""


def test_nothing_heavy_is_imported() -> None:
    """Collecting the whole matrix imports no model library and no image library."""
    result = subprocess.run(
        [sys.executable, "-c", PROBE.format(heavy=HEAVY)], cwd=ROOT, capture_output=True, text=True, timeout=HANG_S
    )
    assert "HEAVY []" in result.stdout
    assert result.returncode == 0, result.stdout[-2000:]


def test_cells_are_selected_once(pytestconfig: pytest.Config) -> None:
    """However many tests and hooks ask; policy files are read no more often."""
    once = selection(pytestconfig)
    assert once.encoders and selection(pytestconfig).encoders is once.encoders
    assert selection(pytestconfig).policies is once.policies


@pytest.mark.long
def test_collection_costs_a_fraction_of_the_imports_it_avoids() -> None:
    """A ratio of processor times, which others on this machine do not change: importing open_clip alone costs three times as
    much or more."""
    commands = {"collect": ["-m", "pytest", "--collect-only", "-q"], "import": ["-c", "import open_clip"]}
    best = dict.fromkeys(commands, float("inf"))
    for _ in range(2):
        for name, args in commands.items():
            before = children_s()
            subprocess.run([sys.executable, *args], cwd=ROOT, capture_output=True, check=True, timeout=HANG_S)
            best[name] = min(best[name], children_s() - before)
    assert best["collect"] < best["import"] / 3, best


def test_each_encoder_is_built_once() -> None:
    """In the order of the run, all tests of an encoder stand together; those that need none come first."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=HANG_S).stdout
    names = [
        f"{backend.name}-{precision}-"
        for backend in backends().values()
        for precision in backend.precisions
        if any(backend.offers(precision, device) for device in present())
    ]
    names.sort(key=len, reverse=True)  # "fp16-output" before "fp16"
    ids = [line for line in listed.splitlines() if "::" in line]
    order = [next((name for name in names if f"-{name}" in item), "none") for item in ids]
    groups = [name for name, _ in groupby(order)]
    assert groups[0] == "none"
    assert len(groups) == len(set(groups)) == len(names) + 1
