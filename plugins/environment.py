"""What this run ran on: everything that can change a vector or a latency, without importing any of it."""

import platform
import subprocess
from functools import cache
from pathlib import Path

import pytest

from fixtures.devices import cores, processor
from fixtures.facts import facts

ISA = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16")


@cache
def fingerprint() -> dict[str, object]:
    """Processor and its instruction sets, GPU and driver, operating system, Python and library versions."""
    return {
        "python": platform.python_version(),
        "os": f"{platform.system()} {platform.machine()}",
        "cpu": processor("model name"),
        "cpu_isa": [flag for flag in ISA if flag in processor("flags").split()],
        "cores": cores(),
        "gpu": "\n".join(gpus()) or "none",
        **_cuda(),
        "packages": dict(facts().packages),
    }


def gpus() -> list[str]:
    """Name, driver and compute capability of each GPU."""
    driver = facts().driver
    return [f"{gpu.name}, {driver.version}, {'.'.join(map(str, gpu.capability))}" for gpu in driver.gpus] if driver else []


def _cuda() -> dict[str, object]:
    """The driver and its CUDA, torch's CUDA, and the CUDA, cuDNN and TensorRT libraries that can be loaded; what there is."""
    known = facts()
    return {
        **({"driver": known.driver.version, "driver_cuda": dotted(known.driver.cuda)} if known.driver else {}),
        **({"torch_cuda": dotted(known.torch_cuda)} if known.torch_cuda else {}),
        **({"cuda_libraries": sorted(known.libraries)} if known.libraries else {}),
    }


def dotted(version: tuple[int, ...]) -> str:
    """(13, 2) to "13.2"."""
    return ".".join(map(str, version))


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
        f"machine: {f['cpu']}, {f['cores']} cores, GPU {'; '.join(gpus()) or 'none'}",
        "packages: " + ", ".join(f"{name} {version}" for name, version in packages.items() if not name.startswith("nvidia-")),
    ]
