"""`python -m suites.studies.processors.aarch64`: an arm64 Python with NumPy and onnxruntime for qemu. On Debian, as root."""

import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from fixtures.errors import Unavailable
from plugins.command_line.program import code_of
from suites.studies.processors.emulated import ARM

PYTHON = "3.11"  # Debian 12's
DEBIAN = (
    "python3.11-minimal",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libc6",
    "libstdc++6",
    "libgcc-s1",
    "zlib1g",
    "libexpat1",
    "libssl3",
    "libffi8",
    "libbz2-1.0",
    "liblzma5",
    "libsqlite3-0",
    "libuuid1",
    "libcrypt1",
    "libgomp1",
)
WHEELS = ("numpy", "onnx", "onnxruntime", "ml_dtypes", "protobuf", "typing_extensions", "flatbuffers", "packaging")
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_26_aarch64", "manylinux2014_aarch64")


def main() -> int:
    """0 when it is there, 4 with one sentence when Debian's packages cannot be had."""
    return code_of(_install, "nothing was installed")


def _install() -> int:
    known = subprocess.run(["dpkg", "--print-foreign-architectures"], capture_output=True, text=True, check=False).stdout
    if "arm64" not in known.split():
        raise Unavailable("apt knows no arm64 packages: dpkg --add-architecture arm64 && apt-get update")
    ARM.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ARM.parent) as name:
        folder = Path(name)
        subprocess.run(["apt-get", "download", *(f"{package}:arm64" for package in DEBIAN)], cwd=folder, check=True)
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, folder / "root"], check=True)
        platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
        wheels = [f"{name}=={version(name)}" for name in WHEELS]  # as they are here
        command = [sys.executable, "-m", "pip", "install", "--no-deps", *platforms, "--python-version", PYTHON]
        subprocess.run([*command, "--only-binary=:all:", "--target", folder / "site", *wheels], check=True)
        shutil.rmtree(ARM, ignore_errors=True)
        ARM.mkdir()
        for part in ("root", "site"):
            (folder / part).rename(ARM / part)
    print(f"arm64's Python {PYTHON} with {', '.join(wheels)} is in {ARM}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
