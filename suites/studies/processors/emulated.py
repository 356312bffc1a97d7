"""User-mode emulation by qemu: how an interpreter is started under it, and what it is told of its processor."""

import json
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from fixtures import ROOT
from fixtures.errors import Unavailable
from fixtures.storage.cache import ROOT as CACHE
from suites.studies.processors.kinds import Kind

INSTALL = "apt-get install -y qemu-user"
ARM = CACHE / "processors" / "aarch64"  # a Debian system's libraries in root/, wheels in site/: see aarch64.py
HWCAP = (
    "fp", "asimd", "evtstrm", "aes", "pmull", "sha1", "sha2", "crc32", "atomics", "fphp", "asimdhp", "cpuid", "asimdrdm",
    "jscvt", "fcma", "lrcpc", "dcpop", "sha3", "sm3", "sm4", "asimddp", "sha512", "sve",
)  # fmt: skip  # Linux's names of the bits of AT_HWCAP (arch/arm64/include/uapi/asm/hwcap.h)
ASK = {
    "x86_64": "from cpuinfo.cpuinfo import CPUID; c = CPUID(); n = c.get_max_extension_support();"
    "print(*c.get_flags(n)); print(c.get_processor_brand(n))",
    "aarch64": f"import ctypes; found = ctypes.CDLL(None).getauxval(16);"
    f"print(*(name for bit, name in enumerate({HWCAP}) if found >> bit & 1)); print()",
}


def missing(kind: Kind) -> str:
    """Why the kind cannot be emulated here, with what to install; empty if it can."""
    if not shutil.which(f"qemu-{kind.machine}"):
        return f"not played: qemu-{kind.machine} is not installed: {INSTALL}"
    if kind.machine == "aarch64" and not (ARM / "site").exists():
        return "not played: no arm64 Python is at hand: python -m suites.studies.processors.aarch64"
    return ""


@cache
def version() -> str:
    """qemu's own, such as 7.2.22."""
    said = subprocess.run(["qemu-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    return said.split("version ")[1].split()[0]


def command(kind: Kind, system: Path, python: Path | None) -> list[str]:
    """Starts `python` (arm64's own if the kind is one) under the emulator; absolute paths are looked up in `system` first."""
    if kind.machine == "x86_64":
        return ["qemu-x86_64", "-L", str(system), "-cpu", kind.cpu, str(python)]
    found = ["qemu-aarch64", "-L", str(system), "-cpu", kind.cpu, str(ARM / "root" / "usr" / "bin" / "python3.11")]
    return ["env", f"PYTHONPATH={ROOT}:{ARM / 'site'}", *found]


def played_system(kind: Kind, folder: Path) -> Path:
    """A folder for qemu's -L, whose proc/cpuinfo tells of the emulated processor what the processor itself says.

    qemu-user 7.2 shows the host's /proc/cpuinfo, which libraries and fixtures/machine/devices.py believe.
    """
    if kind.machine == "aarch64":
        folder = ARM / "root"
    (folder / "proc").mkdir(parents=True, exist_ok=True)
    target = folder / "proc" / "cpuinfo"
    asked = ["nice", "-n", "19", *command(kind, folder, Path(sys.executable)), "-c", ASK[kind.machine]]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise Unavailable(f"not played: Python does not start on {kind.cpu}: {last_line(done.stderr)}")
    flags, brand = done.stdout.split("\n")[:2]
    name = f"{brand.strip() or kind.cpu}, emulated by qemu {version()}"
    fields = {"processor": "0", "machine": kind.machine, "model name": name}
    if kind.machine == "x86_64":
        fields |= {"flags": flags}
    else:  # as Neoverse N1's registers have it, from Arm's manual; libraries look their kernels up by it
        fields |= {"Features": flags, "CPU implementer": "0x41", "CPU architecture": "8", "CPU variant": "0x3"}
        fields |= {"CPU part": "0xd0c", "CPU revision": "1"}
    target.write_text("".join(f"{name}\t: {value}\n" for name, value in fields.items()) + "\n")
    return folder


def variables(kind: Kind, folder: Path) -> dict[str, str]:
    """What an inner run needs so that its encoders run under the emulator (see far.py); `folder` lives as long as it."""
    system = played_system(kind, folder / "system")
    starts = json.dumps(command(kind, system, None if kind.machine == "aarch64" else Path("PYTHON")))
    return {"EMULATED": starts, "CLIP_CONFORMANCE_CPUINFO": str(system / "proc" / "cpuinfo")}


def script(starts: list[str], python: Path, folder: Path) -> Path:
    """An executable file that starts `python` under the emulator, where only a path can be given."""
    file = folder / f"python-{len(list(folder.iterdir()))}"
    words = " ".join(shlex.quote(str(python) if word == "PYTHON" else word) for word in starts)
    file.write_text(f'#!/bin/sh\nexec nice -n 19 {words} "$@"\n')
    file.chmod(0o755)
    return file


def last_line(text: str) -> str:
    """Of what a program said on standard error, without qemu's warnings about the processor."""
    lines = [line for line in text.strip().splitlines() if "TCG doesn't support" not in line]
    return lines[-1][:200] if lines else "it said nothing"
