"""Collection is fast because it imports nothing heavy."""

import subprocess
import sys
import time

from suites.selftest.conftest import ROOT

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
        [sys.executable, "-c", PROBE.format(heavy=HEAVY)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert "HEAVY []" in result.stdout
    assert result.returncode == 0, result.stdout[-2000:]


def test_collection_costs_little_more_than_pytest_itself() -> None:
    """A ratio, because absolute times prove nothing here: collecting costs at most six bare starts of pytest."""
    commands = {"bare": ["--version"], "collect": ["--collect-only", "-q"]}
    best = dict.fromkeys(commands, float("inf"))
    for _ in range(3):
        for name, args in commands.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-m", "pytest", *args], cwd=ROOT, capture_output=True, check=True, timeout=120)
            best[name] = min(best[name], time.perf_counter() - started)
    assert best["collect"] < 6 * best["bare"], best
