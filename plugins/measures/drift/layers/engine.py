"""A TensorRT engine that hands out its layers: the cell's ONNX file built again, with their tensors marked as outputs."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures.backends._tensorrt import EngineEncoder, present_gpu
from fixtures.backends._tensorrt_build import build_engine, log_of
from fixtures.capability import Array, Tokens, Tower
from fixtures.errors import Unavailable
from plugins.measures.drift.layers.graph import tensors
from plugins.measures.drift.layers.layers import Layer

if TYPE_CHECKING:
    import torch


class MarkedEngine:
    """One row a call. TensorRT does not fuse across outputs: a profile's disturbance says how far this is the cell's engine."""

    def __init__(self, encoder: EngineEncoder, tower: Tower, layers: list[Layer]) -> None:
        """Builds for the GPU that is there; raises Unavailable without the ONNX file that the cell's engine came from."""
        if tower not in encoder.sources:
            raise Unavailable(f"the {tower} engine does not say which ONNX file it was built from: no tensor can be marked")
        self.trt, self.device = encoder.trt, encoder.device
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / encoder.sources[tower].name
            self.tensors = mark(encoder.sources[tower], file, layers)
            plan, _ = build_engine(encoder.trt, file, f"{tower} with marked outputs", present_gpu())
        self.engine = encoder.runtime.deserialize_cuda_engine(plan)
        self.context = self.engine.create_execution_context()

    def __call__(self, batch: Array | Tokens) -> "dict[str, torch.Tensor]":
        """Outputs by layer name, on the device and in the engine's types."""
        import torch

        kinds = {"FLOAT": torch.float32, "HALF": torch.float16, "BF16": torch.bfloat16, "INT64": torch.int64}
        names = [self.engine.get_tensor_name(i) for i in range(self.engine.num_io_tensors)]
        given = next(name for name in names if self.engine.get_tensor_mode(name).name == "INPUT")
        kind = {name: kinds[self.engine.get_tensor_dtype(name).name] for name in names}
        memory = {given: torch.from_numpy(batch).to(self.device, kind[given]).contiguous()}
        for name in names:
            if name != given:
                memory[name] = torch.empty(tuple(self.context.get_tensor_shape(name)), dtype=kind[name], device=self.device)
            self.context.set_tensor_address(name, memory[name].data_ptr())
        stream = torch.cuda.current_stream().cuda_stream if self.device == "cuda" else 0
        if not self.context.execute_async_v3(stream):
            raise RuntimeError(f"the engine with marked outputs did not run: {log_of(self.trt).last_error()}")
        return {layer: memory[tensor].cpu() for layer, tensor in self.tensors.items()}


def mark(source: Path, target: Path, layers: list[Layer]) -> dict[str, str]:
    """Write the graph with each layer's tensor as an output, which TensorRT's parser marks; tensor name by layer name."""
    import onnx
    from onnx.shape_inference import infer_shapes

    model = onnx.load(str(source))
    found = tensors(model.graph, layers)
    present = {output.name for output in model.graph.output}
    typed = {value.name: value for value in infer_shapes(model).graph.value_info}  # the parser wants to know an output's type
    model.graph.output.extend(typed[name] for name in dict.fromkeys(found.values()) if name not in present)
    onnx.save(model, str(target))
    return found
