"""The four tools: which command measures a cell (both towers of a backend, batch 1, fp32, CPU), and where its figures are."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from fixtures import ROOT
from fixtures.capability import TOWERS, Tower
from suites.studies.gate_power.load import busy_s, children_s

CELLS = ("torch-eager", "transformers", "onnxruntime")  # backends of ours
WARM_UPS = 13  # calls before the timed ones; ours makes 11 at least until two windows agree, and 2 before it times
PEERS = ROOT / ".venv-peers" / "bin"
LONGEST_S = 600.0
Asked = Mapping[str, Mapping[Tower, int]]  # timed calls, by cell and tower


class Figures(TypedDict):
    """Of one tower; milliseconds."""

    n: int  # timed calls
    p50: float
    fastest: float


Found = dict[str, dict[str, Figures]]  # by cell and tower


class Measured(TypedDict):
    """One measurement: all commands of a tool for some cells."""

    round: int
    tool: str
    cells: list[str]
    commands: int
    seconds: float  # of wall clock, from the start of the first process to the end of the last
    processor_s: float  # of all their processes, which load by others hardly changes
    others_cores: float  # that were kept busy by others meanwhile
    found: Found


class Tool(ABC):
    """Has one command or several for a list of cells."""

    name: str
    where: Path | None = None  # the working directory of its commands, if it is not a folder of their own
    cannot: Mapping[str, str] = {}  # cell to reason

    @abstractmethod
    def commands(self, cells: Sequence[str], asked: Asked, models: Path, place: Path) -> list[list[str]]:
        """The commands, which write to `place`; files that they read are written here, before the clock starts."""

    @abstractmethod
    def found(self, cells: Sequence[str], place: Path) -> Found:
        """What the commands wrote."""

    def environment(self, asked: Asked, models: Path) -> dict[str, str]:
        """Variables beside those of this process."""
        return {}


class Ours(Tool):
    """It decides itself how many calls it times, and looks at the vectors of some."""

    name, where = "clip-conformance", ROOT

    def commands(self, cells: Sequence[str], asked: Asked, models: Path, place: Path) -> list[list[str]]:
        """As a person types it."""
        return [[sys.executable, "-m", "pytest", *self.arguments(cells), f"--report={place}/report.json"]]

    @staticmethod
    def arguments(cells: Sequence[str]) -> list[str]:
        """L1 of these cells alone."""
        chosen = [f"--backend={','.join(cells)}", "--precision=fp32", "--device=cpu"]
        return ["suites/latency/test_latency.py", "-k", "test_encode", *chosen]

    def found(self, cells: Sequence[str], place: Path) -> Found:
        """The report's figures."""
        rows = {row["backend"]: row["latency_ms"] for row in json.loads((place / "report.json").read_text())["cells"]}
        return {cell: {tower: self._figures(rows[cell][tower]) for tower in TOWERS} for cell in cells}

    @staticmethod
    def _figures(reported: Mapping[str, Any]) -> Figures:
        return {"n": reported["n"], "p50": reported["p50"], "fastest": reported["min"]}


class Plain(Tool):
    """pytest-benchmark alone, with a small file."""

    name = "pytest-benchmark"

    def commands(self, cells: Sequence[str], asked: Asked, models: Path, place: Path) -> list[list[str]]:
        """The cells' tests of plain.py."""
        shutil.copy(Path(__file__).with_name("plain.py"), place / "test_plain.py")
        chosen = " or ".join(cell.replace("-", "_") for cell in cells)
        return [[str(PEERS / "python"), "-m", "pytest", "test_plain.py", "-k", chosen, "--benchmark-json=found.json"]]

    def environment(self, asked: Asked, models: Path) -> dict[str, str]:
        """What plain.py reads."""
        return {"PEERS_MODELS": str(models), "PEERS_ASKED": json.dumps({"warm_ups": WARM_UPS, **asked})}

    def found(self, cells: Sequence[str], place: Path) -> Found:
        """The statistics of its own file."""
        found: Found = {cell: {} for cell in cells}
        for row in json.loads((place / "found.json").read_text())["benchmarks"]:
            name, stats = row["name"].partition("[")[0].removeprefix("test_").replace("_", "-"), row["stats"]
            own: Figures = {"n": stats["rounds"], "p50": 1e3 * stats["median"], "fastest": 1e3 * stats["min"]}
            found[name][row["params"]["tower"]] = own
        return found


class Polygraphy(Tool):
    """A file of ONNX a command, with inputs that it draws."""

    name = "Polygraphy"
    cannot = dict.fromkeys(
        ("torch-eager", "transformers"),
        "its runner for torch modules copies inputs to a CUDA device, and no command has it",
    )
    inputs = {"image": ("[1,3,224,224]", "[0,1]"), "text": ("[1,77]", "[0,49407]")}  # shape and range

    def commands(self, cells: Sequence[str], asked: Asked, models: Path, place: Path) -> list[list[str]]:
        """--save-outputs has the time of each call; --warm-up needs --sequential-runners."""
        return [self.command(tower, asked["onnxruntime"][tower], models) for tower in TOWERS]

    def command(self, tower: Tower, calls: int, models: Path) -> list[str]:
        """Of one tower."""
        shape, values = self.inputs[tower]
        drawn = ["--input-shapes", f"input:{shape}", "--val-range", f"input:{values}", "--iterations", str(calls)]
        how = ["--onnxrt", "--sequential-runners", "--warm-up", str(WARM_UPS), "--save-outputs", f"{tower}.json"]
        return [str(PEERS / "polygraphy"), "run", str(models / "onnx" / f"{tower}.onnx"), *how, *drawn]

    def found(self, cells: Sequence[str], place: Path) -> Found:
        """From the seconds of every call."""
        listed = {tower: json.loads((place / f"{tower}.json").read_text())["lst"][0][1] for tower in TOWERS}
        return {"onnxruntime": {tower: of_seconds(call["runtime"] for call in calls) for tower, calls in listed.items()}}


class OptimumBenchmark(Tool):
    """A sweep over both towers in one process."""

    name = "optimum-benchmark"
    cannot = {
        "torch-eager": "its pytorch backend loads models of transformers, diffusers and timm, not open_clip's",
        "onnxruntime": "its onnxruntime backend needs optimum 1.27 (optimum 2 has no ORT_SUPPORTED_TASKS), which does not "
        "import beside torch 2.15 (torch.onnx has no _attention_scale)",
    }

    def commands(self, cells: Sequence[str], asked: Asked, models: Path, place: Path) -> list[list[str]]:
        """One sweep; the settings are files, as its pages show it."""
        shared = {
            "defaults": ["benchmark", {"scenario": "inference"}, {"launcher": "inline"}, {"backend": "pytorch"}, "_self_"],
            "name": "peers",
            "backend": {"device": "cpu", "library": "transformers", "task": "feature-extraction"},
            "scenario": {"duration": 0, "warmup_runs": WARM_UPS, "input_shapes": {"batch_size": 1}},
            "hydra": {"job": {"chdir": True}, "sweep": {"dir": str(place), "subdir": "${hydra.job.num}"}},
        }
        (place / "tower").mkdir()
        (place / "peers.yaml").write_text(json.dumps(shared))
        for tower in TOWERS:
            length = {"input_shapes": {"sequence_length": 77}} if tower == "text" else {}
            own = {
                "backend": {"model": str(models / "transformers" / tower)},
                "scenario": {"iterations": asked["transformers"][tower], **length},
            }
            (place / "tower" / f"{tower}.yaml").write_text(f"# @package _global_\n{json.dumps(own)}")
        sweep = ["--config-dir", str(place), "--config-name", "peers", "--multirun", f"+tower={','.join(TOWERS)}"]
        return [[str(PEERS / "optimum-benchmark"), *sweep]]

    def environment(self, asked: Asked, models: Path) -> dict[str, str]:
        """A folder needs no hub."""
        return {"HF_HUB_OFFLINE": "1"}

    def found(self, cells: Sequence[str], place: Path) -> Found:
        """From the seconds of every call."""
        reports = {tower: place / str(number) / "benchmark_report.json" for number, tower in enumerate(TOWERS)}
        listed = {tower: json.loads(path.read_text())["forward"]["latency"]["values"] for tower, path in reports.items()}
        return {"transformers": {tower: of_seconds(values) for tower, values in listed.items()}}


OURS = Ours()
TOOLS: tuple[Tool, ...] = (OURS, Plain(), Polygraphy(), OptimumBenchmark())


def of_seconds(calls: Iterable[float]) -> Figures:
    """Figures of calls whose seconds are known."""
    ms = [1e3 * seconds for seconds in calls]
    return {"n": len(ms), "p50": statistics.median(ms), "fastest": min(ms)}


def counts(found: Found) -> dict[str, dict[Tower, int]]:
    """Timed calls, by cell and tower."""
    return {cell: {tower: own[tower]["n"] for tower in TOWERS} for cell, own in found.items()}


def measure(tool: Tool, cells: Sequence[str], asked: Asked, models: Path, place: Path, number: int = 0) -> Measured:
    """Run the tool's commands in a new folder. Raises RuntimeError for one that fails, or that timed other numbers of calls."""
    place.mkdir(parents=True)
    commands = tool.commands(cells, asked, models, place)
    variables = {**os.environ, **tool.environment(asked, models)}
    started, busy, own = time.perf_counter(), busy_s(), children_s()
    for command in commands:
        run(command, tool.where or place, variables)
    seconds, busy, own = time.perf_counter() - started, busy_s() - busy, children_s() - own
    found = tool.found(cells, place)
    if asked and counts(found) != {cell: asked[cell] for cell in cells}:
        raise RuntimeError(f"{tool.name} timed {counts(found)} calls, asked for {asked}")
    return {
        "round": number,
        "tool": tool.name,
        "cells": [*cells],
        "commands": len(commands),
        "seconds": seconds,
        "processor_s": own,
        "others_cores": max(0.0, busy - own) / seconds,
        "found": found,
    }


def run(command: Sequence[str], where: Path, variables: Mapping[str, str]) -> str:
    """What it prints; raises RuntimeError with the end of it if it fails."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, cwd=where, env=dict(variables), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LONGEST_S
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


def versions() -> dict[str, str]:
    """Of what the figures depend on, in the peers' environment."""
    names = ("polygraphy", "optimum-benchmark", "pytest-benchmark", "onnxruntime", "torch", "transformers", "open_clip_torch")
    asked = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {names!r}}}))"
    known: Any = json.loads(run([str(PEERS / "python"), "-c", asked], ROOT, os.environ))
    return dict(known)
