"""Other people's tools, each of which converts one fp32 file in the environment .venv-policies."""

import json
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.errors import BadInput

PYTHON = ROOT / ".venv-policies" / "bin" / "python"
PROGRAM = Path(__file__).with_name("convert.py")
PACKAGES = ("nvidia-modelopt", "onnxconverter-common", "onnxruntime-gpu", "onnxruntime", "onnx", "torch")


@dataclass(frozen=True)
class Tool:
    """`name` is what convert.py calls it."""

    name: str
    what: str  # for the page


TOOLS = {
    "ModelOpt AutoCast": Tool(
        "autocast",
        "`modelopt.onnx.autocast.convert_to_mixed_precision` with its default rules: a node stays in fp32 if one of its values "
        "on the given inputs is beyond ±512, or one of its weights beyond fp16's range. It takes no budget of drift.",
    ),
    "auto mixed precision": Tool(
        "amp",
        "`onnxconverter_common.auto_mixed_precision`, which onnxruntime's documentation of float16 names. It halves the list "
        "of nodes, runs every attempt with onnxruntime's CPU provider, and asks our check: cosine distance within the budget. "
        "onnxruntime's NCHWc layout pass is off: with it, onnxruntime ends the process on such graphs on some processors.",
    ),
    "auto mixed precision, rounded": Tool(
        "amp-rounding",
        "The same with each attempt run by the judge's arithmetic, which the tool cannot do by itself on this processor.",
    ),
}


def require_tools() -> None:
    """Raise BadInput if there is no environment."""
    if not PYTHON.exists():
        raise BadInput(f"no {PYTHON.parent.parent.name}, which has ModelOpt and onnxconverter-common: make policies sets it up")


def convert(tool: Tool, source: Path, target: Path, inputs: Path, budget: float, limit_s: float) -> dict[str, Any]:
    """Seconds of one conversion, which are those of the tool, not of its imports; or `failed`, with the reason."""
    command = [str(PYTHON), str(PROGRAM), tool.name, str(source), str(target), str(inputs), repr(budget)]
    variables = {**os.environ, "SUITE": str(ROOT)}
    try:
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return {"failed": f"no answer within {limit_s:.0f} s"}
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode < 0:
        return {"failed": f"ended by {signal.Signals(-done.returncode).name}"}
    if done.returncode:
        return {"failed": next(reversed(done.stderr.strip().splitlines()), f"ended with {done.returncode}")}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def versions() -> dict[str, str]:
    """Of what the tools use."""
    code = (
        "import importlib.metadata as m, json\n"
        f"print(json.dumps({{d.name: d.version for d in m.distributions() if d.name in {PACKAGES!r}}}))"
    )
    done = subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return dict(sorted(found.items()))
