"""A program for the tools' own environment: `python convert.py TOOL SOURCE TARGET INPUTS BUDGET` converts one ONNX file.

INPUTS is a folder with one .npz file. TOOL is "autocast" (NVIDIA ModelOpt, which takes no budget), "amp" (auto mixed precision
of onnxconverter-common, which takes a check of results: cosine distance at most BUDGET), or "amp-rounding", the same with
results that are rounded as rounding.py does; SUITE in the environment is this repository. The last line printed is JSON.
"""

import importlib
import json
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

AMP = "onnxconverter_common.auto_mixed_precision"


def autocast(source: Path, target: Path, inputs: Path, budget: float) -> None:
    """ModelOpt with its default rules."""
    import onnx
    from modelopt.onnx.autocast import convert_to_mixed_precision

    onnx.save(convert_to_mixed_precision(str(source), keep_io_types=True, calibration_data=str(inputs)), str(target))


def amp(source: Path, target: Path, inputs: Path, budget: float) -> None:
    """Bisection, which runs every attempt."""
    import numpy as np
    import onnx
    import onnxruntime
    from onnxconverter_common.auto_mixed_precision import auto_convert_mixed_precision

    def within(wanted: list[Any], found: list[Any]) -> bool:
        one, other = (np.asarray(rows[0], np.float64) for rows in (wanted, found))
        one, other = (rows / np.linalg.norm(rows, axis=-1, keepdims=True) for rows in (one, other))
        return bool((0.5 * ((one - other) ** 2).sum(axis=-1) <= budget).all())

    # Or the process ends: the NCHWc layout pass crashes on converted fp16 graphs on processors with AVX512-FP16.
    onnxruntime.InferenceSession = partial(onnxruntime.InferenceSession, disabled_optimizers=["NchwcTransformer"])
    with np.load(next(inputs.glob("*.npz"))) as feed:
        given = {name: feed[name] for name in feed.files}
    onnx.save(auto_convert_mixed_precision(onnx.load(str(source)), given, within, keep_io_types=True), str(target))


def amp_rounding(source: Path, target: Path, inputs: Path, budget: float) -> None:
    """The same, with another way to run an attempt."""
    sys.path.insert(0, os.environ["SUITE"])
    from onnxconverter_common import auto_mixed_precision

    from suites.studies.policies.rounding import of_graph

    plain = auto_mixed_precision.get_tensor_values_using_ort

    def run(model: Any, feed: Any, output_names: Any = None, sess_options: Any = None) -> Any:
        if output_names is None:
            return [of_graph(model, next(iter(feed.values())))]
        return plain(model, feed, output_names, sess_options)

    auto_mixed_precision.get_tensor_values_using_ort = run
    amp(source, target, inputs, budget)


TOOLS = {"autocast": autocast, "amp": amp, "amp-rounding": amp_rounding}
LOADED = {"autocast": "modelopt.onnx.autocast", "amp": AMP, "amp-rounding": AMP}  # before the clock starts

if __name__ == "__main__":
    tool, source, target, inputs, budget = sys.argv[1:]
    importlib.import_module(LOADED[tool])
    started, worked = time.perf_counter(), time.process_time()
    TOOLS[tool](Path(source), Path(target), Path(inputs), float(budget))
    spent = {"seconds": time.perf_counter() - started, "processor_s": time.process_time() - worked}
    print(json.dumps(spent))
