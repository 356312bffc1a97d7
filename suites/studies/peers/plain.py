"""What a user of pytest-benchmark alone writes: a session or a module, one input, benchmark.pedantic. It is run as a copy."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

MODELS = Path(os.environ["PEERS_MODELS"])
ASKED = json.loads(os.environ["PEERS_ASKED"])  # {"warm_ups": 13, "onnxruntime": {"image": 200, "text": 300}}
towers = pytest.mark.parametrize("tower", ["image", "text"])


def timed(benchmark: "BenchmarkFixture", backend: str, tower: str, call: Callable[[], Any]) -> None:
    """As many calls as are asked for."""
    assert benchmark.pedantic(call, rounds=ASKED[backend][tower], warmup_rounds=ASKED["warm_ups"]).shape[0] == 1


def given(tower: str) -> Any:
    """One row."""
    return np.load(MODELS / "inputs" / f"{tower}.npy")


@towers
def test_onnxruntime(benchmark: "BenchmarkFixture", tower: str) -> None:
    """Host to host."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    session = onnxruntime.InferenceSession(MODELS / "onnx" / f"{tower}.onnx", options, providers=["CPUExecutionProvider"])
    row = given(tower)
    timed(benchmark, "onnxruntime", tower, lambda: session.run(None, {"input": row})[0])


@towers
def test_torch_eager(benchmark: "BenchmarkFixture", tower: str) -> None:
    """open_clip's module."""
    import open_clip
    import torch

    clip = open_clip.create_model(f"local-dir:{MODELS / 'open_clip'}").eval()
    encode, row = getattr(clip, f"encode_{tower}"), torch.from_numpy(given(tower))
    with torch.inference_mode():
        timed(benchmark, "torch-eager", tower, lambda: encode(row).numpy())


@towers
def test_transformers(benchmark: "BenchmarkFixture", tower: str) -> None:
    """CLIPModel."""
    import torch
    from transformers import CLIPModel

    clip = CLIPModel.from_pretrained(MODELS / "transformers" / "clip").eval()
    features, row = getattr(clip, f"get_{tower}_features"), torch.from_numpy(given(tower))
    with torch.inference_mode():
        timed(benchmark, "transformers", tower, lambda: features(row).numpy())
