"""How fast a device could be: the bytes and operations of one image over the rates that the device reaches, both measured."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from plugins.command_line.program import Parser

MODELS = (("scenes-s", ""), ("ViT-B-32", "random:0"), ("ViT-L-14", "random:0"))
DTYPES = {"fp32": "float32", "tf32": "float32", "bf16": "bfloat16", "fp16": "float16"}
SIDE = {"cpu": 1024, "mps": 2048}  # of the product that is timed; 8192 on CUDA
COPIED = {"cpu": 2**28, "mps": 2**28}  # bytes of the copy that is timed; 4 GiB on CUDA
REPEATS = 5


def seconds(call: Callable[[], object], wait: Callable[[], object]) -> float:
    """The fastest of some calls, waited for, after one that is not timed."""
    times = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        call()
        wait()
        times.append(time.perf_counter() - started)
    return float(np.min(times[1:]))


def rates(device: str, like: str) -> dict[str, float]:
    """Bytes a second of a copy on the device (read and write count), and operations a second of a product by precision.

    Sizes are those for a device `like` "cuda", "mps" or "cpu".
    """
    import torch

    from fixtures.backends._torch import use_tf32

    kind = device.partition(":")[0]
    wait = torch.cuda.synchronize if kind == "cuda" else torch.mps.synchronize if kind == "mps" else lambda: None
    source = torch.zeros(COPIED.get(like, 2**32) // 2, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    found = {"bytes": 2 * source.numel() / seconds(lambda: target.copy_(source), wait)}
    side = SIDE.get(like, 8192)
    for precision, dtype in DTYPES.items():
        if precision == "tf32" and kind != "cuda":
            continue
        use_tf32(precision == "tf32")
        left, right = torch.ones((2, side, side), dtype=getattr(torch, dtype), device=device).unbind()
        found[precision] = 2 * side**3 / seconds(lambda left=left, right=right: left @ right, wait)  # type: ignore[misc]
    use_tf32(False)
    return found


def work(name: str, pretrained: str) -> dict[str, Any]:
    """Weights and operations of one image, by torch's own counter."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from fixtures.models import load_model

    model = load_model(name, pretrained)
    module = model.module()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        module.encode_image(torch.zeros(1, 3, model.geometry.size, model.geometry.size))
    weights = sum(p.numel() for n, p in module.named_parameters() if n.startswith("visual."))
    return {"model": model.id, "weights": weights, "operations": counter.get_total_flops()}


def table(device: str, count: int, like: str) -> dict[str, Any]:
    """The rates, and for each model and precision the milliseconds below which no image can be at batch 1."""
    found = rates(device, like)
    rows = []
    for name, pretrained in MODELS[:count]:
        one = work(name, pretrained)
        for precision in [p for p in DTYPES if p in found]:
            size = 4 if DTYPES[precision] == "float32" else 2
            memory, products = one["weights"] * size / found["bytes"], one["operations"] / found[precision]
            rows.append({**one, "precision": precision, "memory_ms": 1e3 * memory, "products_ms": 1e3 * products})
    return {"rates": found, "rows": rows}


def main() -> int:
    """Write the table as JSON."""
    parser = Parser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", type=int, default=len(MODELS), help="how many, from the smallest")
    parser.add_argument("--small", action="store_true", help="measure with a processor's sizes: for a rehearsal")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    like = "cpu" if asked.small else asked.device.partition(":")[0]
    asked.out.write_text(json.dumps(table(asked.device, asked.models, like), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
