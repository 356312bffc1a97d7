"""Combinations that cannot work: every rule with planted facts, both ways, and what a run makes of one."""

from dataclasses import replace
from typing import Any

import pytest

from fixtures.capability import Backend, Encoder
from fixtures.driver import Driver, Gpu
from fixtures.facts import Facts
from fixtures.versions import RULES, refusal
from fixtures.versions.case import Case

CUDA_13 = frozenset({"libcudart.so.13", "libcublas.so.13", "libcublasLt.so.13", "libcurand.so.10"})
A10, T4, V100 = Gpu("NVIDIA A10", (8, 6)), Gpu("Tesla T4", (7, 5)), Gpu("Tesla V100", (7, 0))
H100, RTX_5090 = Gpu("NVIDIA H100", (9, 0)), Gpu("NVIDIA GeForce RTX 5090", (12, 0))
PACKAGES = {
    "torch": "2.15.0", "onnxruntime-gpu": "1.31.1", "tensorrt": "10.16.1", "tensorrt-cu13": "10.16.1",
    "tensorrt-rtx": "1.7.1", "tensorrt-rtx-cu13": "1.7.1", "nvidia-cudnn-cu13": "9.26.0",
}  # fmt: skip
GOOD = Facts(
    packages=PACKAGES,
    torch_cuda=(13, 2),
    driver=Driver("580.65.06", (13, 0), (A10,)),
    libraries=CUDA_13 | {"libcudnn.so.9", "libnvinfer.so.10", "libnvonnxparser.so.10"},
    providers={"cuda": CUDA_13, "tensorrt": frozenset({"libnvinfer.so.10", "libnvonnxparser.so.10", "libcudart.so.13"})},
)


def driver(*gpus: Gpu, version: str = "580.65.06", cuda: tuple[int, int] = (13, 0)) -> dict[str, Any]:
    """Facts of another driver or GPU."""
    return {"driver": Driver(version, cuda, gpus)}


def packages(drop: str = "", **more: str) -> dict[str, Any]:
    """Facts of packages: one less, some more."""
    added = {name.replace("_", "-"): version for name, version in more.items()}
    return {"packages": {name: version for name, version in {**PACKAGES, **added}.items() if name != drop}}


TORCH, ONNX, RTX = ("torch-eager", "torch"), ("onnxruntime", "onnxruntime"), ("tensorrt-rtx", "tensorrt_rtx")
TENSORRT, ONNX_TENSORRT, KERNL = ("tensorrt", "tensorrt"), ("onnxruntime-tensorrt", "onnxruntime"), ("kernl", "kernl")

# rule, backend, precision, what differs from a machine on which all is well, what the sentence must name
BROKEN: list[tuple[str, tuple[str, str], str, dict[str, Any], tuple[str, ...]]] = [
    ("two_onnxruntimes", ONNX, "fp32", packages(onnxruntime="1.30.0"), ("onnxruntime 1.30.0 and onnxruntime-gpu 1.31.1",)),
    ("no_cuda_in_onnxruntime", ONNX, "fp32", {**packages("onnxruntime-gpu", onnxruntime="1.31.1"), "providers": {}},
     ("onnxruntime 1.31.1", "wanted onnxruntime-gpu")),
    ("no_cuda_in_torch", TORCH, "fp32", {"torch_cuda": None}, ("torch 2.15.0", "wanted one with CUDA")),
    ("two_cudnns", TORCH, "fp32", packages(nvidia_cudnn_cu12="9.10.2"),
     ("cu12 9.10.2", "cu13 9.26.0", "install nvidia-cudnn-cu13")),
    ("two_tensorrts", TENSORRT, "fp16", packages(tensorrt_cu12="10.9.0"), ("tensorrt-cu12 10.9.0", "tensorrt-cu13 10.16.1")),
    ("provider_libraries", ONNX, "fp32", {"libraries": frozenset({"libcudart.so.12", "libcublas.so.12", "libcudnn.so.9"})},
     ("wants libcublas.so.13", "found libcublas.so.12, libcudart.so.12", '"onnxruntime-gpu>=1.19,<1.27"')),
    ("provider_libraries", ONNX, "fp32", {"libraries": GOOD.libraries - {"libcurand.so.10"}},
     ("libcurand.so.10", "found none")),
    ("cudnn", ONNX, "fp32", {"libraries": GOOD.libraries - {"libcudnn.so.9"} | {"libcudnn.so.8"}},
     ("wants libcudnn.so.9", "found libcudnn.so.8", "nvidia-cudnn-cu13==9.*")),
    ("cudnn", ONNX, "fp32", packages("nvidia-cudnn-cu13", nvidia_cudnn_cu12="9.10.2"),
     ("nvidia-cudnn-cu12 9.10.2", "wanted cuDNN 9 for CUDA 13")),
    ("tensorrt_provider", ONNX_TENSORRT, "fp16", {"libraries": GOOD.libraries - {"libnvinfer.so.10"} | {"libnvinfer.so.11"}},
     ("wants libnvinfer.so.10", "found libnvinfer.so.11", "tensorrt-cu13==10.*")),
    ("no_driver", TORCH, "fp32", {"driver": None}, ("found no NVIDIA driver", "driver 580")),
    ("no_driver", TORCH, "fp32", driver(), ("driver 580.65.06 with no CUDA device", "CUDA_VISIBLE_DEVICES")),
    ("driver_cuda", TORCH, "fp32", driver(A10, version="550.54.14", cuda=(12, 4)),
     ("driver 550.54.14 (up to CUDA 12.4)", "wanted CUDA 13 for torch 2.15.0 (built for CUDA 13.2)", "driver 580")),
    ("driver_cuda", ONNX, "fp32", driver(A10, version="550.54.14", cuda=(12, 4)),
     ("onnxruntime-gpu 1.31.1 (built for CUDA 13)",)),
    ("driver_cuda", RTX, "fp16", driver(A10, version="550.54.14", cuda=(12, 4)), ("tensorrt-rtx-cu13 1.7.1",)),
    ("tensorrt_driver", TENSORRT, "fp16", {**packages("tensorrt-cu13", tensorrt_cu12="11.2.1"),
                                           **driver(A10, version="530.30.02", cuda=(12, 1))}, ("530.30.02", "wanted 535")),
    ("too_old_gpu", TORCH, "fp32", driver(V100), ("Tesla V100 with compute capability 7.0", "wanted compute capability 7.5")),
    ("too_old_gpu", ONNX, "fp32", driver(V100), ("compute capability 7.0", "onnxruntime-gpu 1.31.1")),
    ("too_new_gpu", TORCH, "fp32", {"torch_cuda": (12, 6), **driver(RTX_5090)},
     ("compute capability 12.0", "CUDA 12.8", "CUDA 12.6")),
    ("tensorrt_gpu", RTX, "fp16", driver(H100), ("compute capability 9.0", "7.5, 8.6, 8.9, 12.0")),
    ("tensorrt_gpu", TENSORRT, "fp16", {**packages("tensorrt-cu13", tensorrt_cu12="10.9.0"), **driver(V100)},
     ("7.0", "wanted compute")),
    ("precision", TORCH, "bf16", driver(T4), ("Tesla T4 with compute capability 7.5", "8.0 or newer for bf16")),
    ("precision", TORCH, "tf32", driver(T4), ("compute capability 7.5", "8.0 or newer for tf32")),
    ("precision", KERNL, "fp16", driver(T4), ("compute capability 7.5", "8.0 or newer for kernl")),
]  # fmt: skip


def planted(name: str, package: str) -> Backend:
    """A backend that needs one package; `load` is never reached."""

    class Planted(Backend):
        precisions = ("fp32",)
        packages = {package: f"pip install {package}"}

        def load(self, model: object, precision: str, device: str) -> Encoder:
            """Nothing may be built."""
            raise AssertionError("load was called")

    Planted.name = name
    return Planted()


@pytest.mark.parametrize(("rule", "backend", "precision", "change", "named"), BROKEN)
def test_rule(rule: str, backend: tuple[str, str], precision: str, change: dict[str, Any], named: tuple[str, ...]) -> None:
    """Refused by this rule in one sentence that names found and wanted and what to do; not refused without the fault."""
    facts = replace(GOOD, **change)
    reason = refusal(planted(*backend), precision, "cuda", facts) or "nothing was refused"
    assert all(part in reason for part in ("found", "want", *named)), reason
    assert "\n" not in reason
    assert any(f"{word} " in reason.split(": ")[-1] for word in ("install", "use", "choose", "look")), reason
    case = Case(backend[0], frozenset(planted(*backend).needs("cuda")), precision, "cuda", facts)
    assert next(judge.__name__ for judge in RULES if judge(case)) == rule, "another rule covers for it"
    assert refusal(planted(*backend), precision, "cuda", GOOD) is None


def test_every_rule_is_tested() -> None:
    """A rule without a row above would never have been seen to refuse."""
    assert {rule.__name__ for rule in RULES} == {row[0] for row in BROKEN}


@pytest.mark.parametrize(
    ("backend", "precision", "change"),
    [
        (TORCH, "fp32", driver(A10, version="580.65.06", cuda=(13, 0))),  # torch for 13.2: a minor behind is fine
        (TORCH, "fp32", {"torch_cuda": (12, 6)}),  # an older build on a newer driver
        (TORCH, "fp16", driver(T4)),  # no tensor-core rule for fp16
        (TORCH, "fp32", packages("onnxruntime-gpu", onnxruntime="1.31.1")),  # not this backend's business
        (TORCH, "fp32", {"libraries": frozenset()}),  # torch finds its own
        (RTX, "fp16", driver(RTX_5090)),
        (TENSORRT, "fp16", driver(H100)),
    ],
)
def test_what_works_is_not_refused(backend: tuple[str, str], precision: str, change: dict[str, Any]) -> None:
    """Minor versions, older builds and other backends' conflicts stop nobody."""
    assert refusal(planted(*backend), precision, "cuda", replace(GOOD, **change)) is None


def test_cpu_cells_know_only_the_overwritten_package() -> None:
    """Without a GPU, only two builds of onnxruntime in one place are a reason."""
    bare = Facts(packages={"onnxruntime": "1.31.1", "torch": "2.15.0"})
    assert refusal(planted(*ONNX), "int8", "cpu", bare) is None
    assert refusal(planted(*TORCH), "bf16", "cpu", bare) is None
    both = replace(bare, packages={"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"})
    assert "then pip install onnxruntime" in (refusal(planted(*ONNX), "int8", "cpu", both) or "")
