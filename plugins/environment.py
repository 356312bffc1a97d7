"""What this run ran on: everything that can change a vector or a latency, without importing any of it."""

import platform
import subprocess
from functools import cache
from pathlib import Path

import pytest

from fixtures.capability import installed
from fixtures.devices import cores

PACKAGES = (
    "torch", "torchvision", "open_clip_torch", "onnxruntime", "onnxruntime-gpu", "onnx", "tensorrt", "pillow",
    "opencv-python-headless", "opencv-python", "numpy", "scipy", "pytest", "pytest-benchmark", "cn-clip",
)  # fmt: skip
ISA = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16")


@cache
def fingerprint() -> dict[str, object]:
    """Processor and its instruction sets, GPU and driver, operating system, Python and library versions."""
    return {
        "python": platform.python_version(),
        "os": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu("model name"),
        "cpu_isa": [flag for flag in ISA if flag in _cpu("flags").split()],
        "cores": cores(),
        "gpu": _gpu(),
        "packages": {name: version for name in PACKAGES if (version := installed(name))},
    }


def _cpu(field: str) -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(field):
                return line.split(":", 1)[1].strip()
    except OSError:  # no Linux: the platform module's answer is all there is
        return platform.processor()
    return platform.processor()


def _gpu() -> str:
    """Name, driver and compute capability of each GPU, or "none"."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "none"
    return found or "none"


def commit() -> str:
    """The commit under test, "+changes" when the tree differs from it."""
    root = Path(__file__).parent.parent
    try:
        described = ["git", "describe", "--always", "--abbrev=12", "--dirty=+changes", "--exclude=*"]
        return subprocess.run(described, cwd=root, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Settings are echoed, so that a typo shows."""
    f = fingerprint()
    packages = f["packages"]
    assert isinstance(packages, dict)
    return [
        f"clip-conformance: model {config.getoption('--model')} {config.getoption('--pretrained')}".rstrip()
        + f", data {config.getoption('--dataset').name}, device {config.getoption('--device')}",
        f"machine: {f['cpu']}, {f['cores']} cores, GPU {f['gpu']}",
        "packages: " + ", ".join(f"{name} {version}" for name, version in packages.items()),
    ]
