"""What this run ran on: everything that can change a vector or a latency, without importing any of it."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable

import pytest

from fixtures import INSTALLED, ROOT
from fixtures.machine.devices import FORCED, cores, machine, processor
from fixtures.machine.facts import facts

ISA = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16")
ARM_ISA = ("fphp", "asimddp", "sve", "i8mm", "bf16")


def fingerprint() -> dict[str, object]:
    """Processor and its instruction sets, GPU and driver, operating system, Python and library versions."""
    return {
        "python": platform.python_version(),
        "os": f"{platform.system()} {machine()}",
        "cpu": processor("model name"),
        "cpu_isa": instruction_sets(),
        **({"forced": forced} if (forced := set_of(FORCED)) else {}),
        "cores": cores(),
        "gpu": "\n".join(gpus()) or "none",
        **_cuda(),
        "packages": dict(facts().packages),
    }


def instruction_sets() -> list[str]:
    """Those of the processor that change vectors or latencies, by Linux's names."""
    x86, arm = processor("flags").split(), processor("Features").split()
    return [flag for flag in ISA if flag in x86] + [flag for flag in ARM_ISA if flag in arm]


def set_of(names: Iterable[str]) -> dict[str, str]:
    """The environment variables among `names` that are set."""
    return {name: os.environ[name] for name in names if os.environ.get(name)}


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
    """The commit under test, "+changes" when the tree differs from it; evidence, which programs write, is not under test.
    An installed suite is no commit: its version.
    """
    if INSTALLED:  # it may lie within somebody's repository, whose commit says nothing about it
        return f"version {importlib.metadata.version('clip-conformance')}"
    tested = ("--untracked-files=no", "--", ".", ":(exclude)golden/evidence")
    try:
        changes = "+changes" if _git("status", "--porcelain", *tested) else ""
        return _git("rev-parse", "--short=12", "HEAD") + changes
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Settings are echoed, so that a typo shows."""
    f = fingerprint()
    packages = f["packages"]
    assert isinstance(packages, dict)
    played = "".join(f", {name}={value}" for name, value in set_of(FORCED).items())
    return [
        f"clip-conformance: model {config.getoption('--model')} {config.getoption('--pretrained')}".rstrip()
        + f", data {config.getoption('--dataset').name}, device {config.getoption('--device')}",
        f"machine: {f['cpu']}{played}, {f['cores']} cores, GPU {'; '.join(gpus()) or 'none'}",
        "packages: " + ", ".join(f"{name} {version}" for name, version in packages.items() if not name.startswith("nvidia-")),
    ]
