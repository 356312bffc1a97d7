"""The environment of a run, its commit and its time: what can change a vector or a latency, without importing libraries."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NotRequired

import pytest
from typing_extensions import TypedDict

from fixtures import INSTALLED, ROOT
from fixtures.machine.devices import FORCED, cores, machine, processor
from fixtures.machine.facts import facts

ISA = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16")
ARM_ISA = ("fphp", "asimddp", "sve", "i8mm", "bf16")


class Fingerprint(TypedDict):
    """Processor and its instruction sets, GPU and driver, operating system, Python and library versions."""

    python: str
    os: str
    cpu: str
    cpu_isa: list[str]
    cores: int
    gpu: str  # a line each, or "none"
    packages: dict[str, str]  # distribution to version
    forced: NotRequired[dict[str, str]]  # environment variables that restrict libraries to older instruction sets
    driver: NotRequired[str]
    driver_cuda: NotRequired[str]
    torch_cuda: NotRequired[str]
    cuda_libraries: NotRequired[list[str]]  # CUDA's, cuDNN's and TensorRT's that can be loaded


def fingerprint() -> Fingerprint:
    """Return this machine's fingerprint."""
    known = facts()
    found: Fingerprint = {
        "python": platform.python_version(),
        "os": f"{platform.system()} {machine()}",
        "cpu": processor("model name"),
        "cpu_isa": instruction_sets(),
        "cores": cores(),
        "gpu": "\n".join(gpus()) or "none",
        "packages": dict(known.packages),
    }
    if forced := set_of(FORCED):
        found["forced"] = forced
    if known.driver:
        found["driver"], found["driver_cuda"] = known.driver.version, dotted(known.driver.cuda)
    if known.torch_cuda:
        found["torch_cuda"] = dotted(known.torch_cuda)
    if known.libraries:
        found["cuda_libraries"] = sorted(known.libraries)
    return found


def instruction_sets() -> list[str]:
    """The processor flags that change vectors or latencies, by Linux's names."""
    x86, arm = processor("flags").split(), processor("Features").split()
    return [flag for flag in ISA if flag in x86] + [flag for flag in ARM_ISA if flag in arm]


def set_of(names: Iterable[str]) -> dict[str, str]:
    """The environment variables among `names` that are set."""
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def gpus() -> list[str]:
    """Name, driver and compute capability of each GPU."""
    driver = facts().driver
    return [f"{gpu.name}, {driver.version}, {'.'.join(map(str, gpu.capability))}" for gpu in driver.gpus] if driver else []


def dotted(version: tuple[int, ...]) -> str:
    """(13, 2) to "13.2"."""
    return ".".join(map(str, version))


def now() -> str:
    """ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def commit() -> str:
    """The commit under test, "+changes" when the tree differs from it; evidence, which programs write, is not under test.
    An installed suite is no commit: its version.
    """
    if INSTALLED:  # an installed suite may lie inside another repository, whose commit is not the suite's
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
    """Print the run's settings, so that a typo is visible."""
    found = fingerprint()
    played = "".join(f", {name}={value}" for name, value in set_of(FORCED).items())
    return [
        f"clip-conformance: model {config.getoption('--model')} {config.getoption('--pretrained')}".rstrip()
        + f", data {config.getoption('--dataset').name}, device {config.getoption('--device')}",
        f"machine: {found['cpu']}{played}, {found['cores']} cores, GPU {'; '.join(gpus()) or 'none'}",
        "packages: " + ", ".join(f"{name} {v}" for name, v in found["packages"].items() if not name.startswith("nvidia-")),
    ]
