"""The fault that needs a device to fall back from: cells of a machine that claims to have CUDA."""

from typing import TYPE_CHECKING, Any

from fixtures.capability import Encoder
from suites.studies.faults.plants import Fault, encoder

if TYPE_CHECKING:
    from fixtures.models import Model


def _fallen_back(model: "Model", device: str, s: Any) -> Encoder:
    """onnxruntime asked for CUDA and runs on the CPU, as it does when CUDA's libraries are missing."""
    from fixtures.backends.onnxruntime import OnnxRuntime

    return OnnxRuntime().load(model, "fp32", "cpu")


FAULTS = (Fault(8, "falls-back-to-cpu", ("E9",), {"all of it": None}, encoder(_fallen_back), kind="cuda encoder"),)
