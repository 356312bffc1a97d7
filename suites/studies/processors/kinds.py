"""Kinds of processor: the real one, older ones that libraries can be told to run as, and those that qemu emulates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fixtures.registry import backends

How = Literal["real", "switches", "emulated"]
# Libraries that take their kernels from the processor and have no switch: an older one has to be emulated for them.
SWITCHLESS = ("onnxruntime", "onnxruntime-full-range", "onnxruntime-optimized")
# openvino looks at the real processor too: played as SSE4.1 it stops, as AVX2 it offers bf16 and then has none.
EMULATED = {"x86_64": (*SWITCHLESS, "openvino"), "aarch64": ("onnxruntime",)}


@dataclass(frozen=True)
class Kind:
    """One column of the table."""

    name: str
    how: How
    variables: Mapping[str, str] = field(default_factory=dict)  # what plays it
    cpu: str = ""  # what qemu calls it
    machine: str = ""  # of which kind qemu has it: x86_64 or aarch64
    selection: str = "whole"  # a key of SELECTIONS

    def covers(self, backend: str) -> bool:
        """False where this column can say nothing of the backend that another does not say."""
        if self.how == "real":
            return not backends()[backend].nowhere()
        if self.how == "switches":
            if backend == "deepsparse":  # it has no kernels from before AVX2
                return "NM_ARCH" in self.variables
            return backend not in SWITCHLESS and (backend != "openvino" or self.name.startswith("AVX-512"))
        return backend in EMULATED[self.machine]


# scenes (every n-th), odd files (every n-th), queries (at most): an emulated call takes 20 to 100 times as long
SELECTIONS: dict[str, tuple[int, int, int] | None] = {"whole": None, "middle": (10, 1, 150), "small": (200, 7, 5)}
# What plays a processor, oldest first. All libraries together: with oneDNN at its best and ATen not, torch 2.15 stops, as on no
# real machine ("pack_vnni2 is only supported when avx512 is supported"). Last, how names of NumPy's features that are too new
# begin, because NumPy is told what to leave.
SWITCHES = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "OPENBLAS_CORETYPE")
PLAYED = (
    ("SSE4.1", "sse4_1", ("SSE41", "default", "SSE4_2", "Nehalem"), ("AVX", "F16C", "FMA3", "X86_V3", "X86_V4")),
    ("AVX2", "avx2", ("AVX2", "avx2", "AVX2", "Haswell"), ("AVX512", "X86_V4")),
    ("AVX2 + VNNI", "avx_vnni", ("AVX2_VNNI", "avx2", "AVX2", "Haswell"), ("AVX512", "X86_V4")),
    ("AVX-512", "avx512f", ("AVX512_CORE", "avx512", "AVX512", "SkylakeX"), ("AVX512_ICL", "AVX512_SPR")),
    ("AVX-512 + VNNI", "avx512_vnni", ("AVX512_CORE_VNNI", "avx512", "AVX512", "SkylakeX"), ("AVX512_ICL", "AVX512_SPR")),
    ("AVX-512 + BF16", "avx512_bf16", ("AVX512_CORE_BF16", "avx512", "AVX512", "Cooperlake"), ("AVX512_ICL", "AVX512_SPR")),
    ("AMX", "amx_tile", ("AVX512_CORE_AMX", "avx512", "AVX512", "SapphireRapids"), ()),
)
QEMU = (("Haswell", "x86_64"), ("Nehalem", "x86_64"), ("neoverse-n1", "aarch64"))  # AVX2 without VNNI; SSE4.2; arm64


def kinds(flags: str, numpy_features: list[str]) -> list[Kind]:
    """All columns of this machine, in the order in which they are run.

    `flags` are the real processor's, `numpy_features` those that NumPy has found and can be told to leave. The best kind
    that the processor can play is the processor itself.
    """
    able, played = [one for one in PLAYED if one[1] in flags.split()], []
    for name, _, values, too_new in able[:-1]:
        left = " ".join(feature for feature in numpy_features if feature.startswith(too_new))
        variables = {**dict(zip(SWITCHES, values, strict=True)), "NPY_DISABLE_CPU_FEATURES": left}
        variables["NM_ARCH"] = variables["ATEN_CPU_CAPABILITY"].replace("default", "")  # DeepSparse has the same names
        played.append(Kind(name, "switches", {k: v for k, v in variables.items() if v}, selection="middle"))
    emulated = [Kind(f"{cpu} ({machine})", "emulated", cpu=cpu, machine=machine, selection="small") for cpu, machine in QEMU]
    return [Kind("itself", "real"), *played, *emulated]


def numpy_features() -> list[str]:
    """What NumPy has found in this processor beyond its baseline."""
    import numpy as np

    found: Any = np.show_config(mode="dicts")
    return list(found["SIMD Extensions"].get("found", []))


def column(kind: Kind, machine: Mapping[str, Any]) -> str:
    """The name under which a kind's rows are kept: an emulated processor is the same on every machine."""
    if kind.how == "emulated":
        return f"{kind.name}, emulated"
    real = f"{machine['cpu']} ({' '.join(machine['cpu_isa']) or 'no AVX2'})"
    return real if kind.how == "real" else f"{kind.name}, played on {real}"
