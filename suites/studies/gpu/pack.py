"""`python -m suites.studies.gpu.pack` (make gpu-pack): wheels for a machine that has a GPU and torch, but no network.

They come in folders of less than 60 MiB each, which can travel one by one; `install.sh` joins and installs them there.
"""

import argparse
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from fixtures import ROOT
from fixtures.errors import BadInput
from plugins.command_line.program import Parser, code_of

LOCK = ROOT / "requirements" / "gpu.lock"
# Beside torch, torchvision, transformers, timm, onnx, pytest, pytest-benchmark, hypothesis, opencv and pillow.
SMALL = ("open-clip-torch", "ftfy", "wcwidth", "psutil", "onnxscript", "onnx-ir", "ml-dtypes", "flatbuffers")
WHEELS = (*SMALL, "scipy", "onnxruntime-gpu")
PYTHON, PLATFORMS = "3.12", ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64")
PART, FOLDER = 50 * 2**20, 59 * 2**20  # bytes of a part of a wheel; of a folder
INSTALL = """#!/bin/sh
# Joins the parts of all folders beside this file, checks them, and installs what is not there yet.
set -eu
cd "$(dirname "$0")"
wheels=$(mktemp -d)
for first in */*.part-00; do
  name=$(basename "$first" .part-00)
  ls */"$name".part-* | sort -t / -k 2 | xargs cat > "$wheels/$name"  # folders are filled in any order
done
for whole in */*.whl; do cp "$whole" "$wheels/"; done
(cd "$wheels" && sha256sum --check --quiet) < SHA256SUMS
"${PY:-python3}" -m pip install --no-index --no-deps "$wheels"/*.whl
rm -r "$wheels"
"""


def pinned(names: Sequence[str], lock: str) -> list[str]:
    """The names with the versions of a lock file; raises BadInput for a name that is not in it."""
    versions = dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==(\S+)", lock, re.MULTILINE))
    missing = [name for name in names if name not in versions]
    if missing:
        raise BadInput(f"{LOCK.name} has no {', '.join(missing)}: expected a version of each wheel of the pack")
    return [f"{name}=={versions[name]}" for name in names]


def parts(file: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of a file's parts; a small file is one, by its own name."""
    content = file.read_bytes()
    if len(content) <= PART:
        yield file.name, content
        return
    for number, start in enumerate(range(0, len(content), PART)):
        yield f"{file.name}.part-{number:02d}", content[start : start + PART]


def pack(wheels: Sequence[Path], out: Path) -> list[int]:
    """Write folders of parts, SHA256SUMS of the whole wheels and install.sh to `out`; returns the folders' bytes."""
    sizes: list[int] = []
    for wheel in sorted(wheels):
        for name, content in parts(wheel):
            place = next((i for i, size in enumerate(sizes) if size + len(content) <= FOLDER), len(sizes))
            if place == len(sizes):
                sizes.append(0)
                (out / f"{place + 1:02d}").mkdir(parents=True)
            sizes[place] += len(content)
            (out / f"{place + 1:02d}" / name).write_bytes(content)
    sums = [f"{hashlib.sha256(wheel.read_bytes()).hexdigest()}  {wheel.name}\n" for wheel in sorted(wheels)]
    (out / "SHA256SUMS").write_text("".join(sums))
    (out / "install.sh").write_text(INSTALL)
    return sizes


def main(arguments: list[str] | None = None) -> int:
    """Download the wheels of the lock, and pack them; 0, or 4 for bad input."""
    parser = Parser(prog="python -m suites.studies.gpu.pack", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("gpu-pack"), help="a new folder (default: %(default)s)")
    parser.add_argument("--python", default=PYTHON, help="the version of Python there (default: %(default)s)")
    asked = parser.parse_args(arguments)
    if asked.out.exists():
        parser.error(f"{asked.out} exists: expected a new folder")
    return code_of(lambda: _packed(asked), "the folder is not complete")


def _packed(asked: argparse.Namespace) -> int:
    wheels = asked.out / "wheels"
    platforms = [f"--platform={platform}" for platform in PLATFORMS]
    options = ["--no-deps", "--only-binary=:all:", f"--python-version={asked.python}", *platforms, f"--dest={wheels}"]
    names = pinned(WHEELS, LOCK.read_text(encoding="utf-8"))
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *options, *names], check=True)
    files = list(wheels.glob("*.whl"))
    sizes = pack(files, asked.out)
    for file in files:
        file.unlink()
    wheels.rmdir()
    for number, size in enumerate(sizes, 1):
        print(f"{asked.out}/{number:02d}: {size / 2**20:.1f} MiB")
    print(f"There: sh {asked.out}/install.sh, then make gpu-record PY=python3")
    return 0


if __name__ == "__main__":
    sys.exit(main())
