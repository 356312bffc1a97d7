"""Our own search over the same graph: find_policy, with a backend that rounds as the judge does."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fixtures.backends._onnx import onnx_files, policy_files
from fixtures.backends._onnx_kept import kept_nodes
from fixtures.capability import Array, Backend, Encoder, Tokens, Tower
from fixtures.policies.operations import operations, resolve
from plugins.measures.drift.policies.policy import find_policy
from plugins.measures.drift.policies.trial import Target
from suites.studies.policies import mixed

if TYPE_CHECKING:
    from fixtures.models import Model
    from fixtures.policies.policy import Policy


class OutOfTime(Exception):
    """A search took longer than its limit."""


class Rounding(Encoder):
    """Both towers in fp16, with the kept operations in fp32."""

    def __init__(self, towers: dict[Tower, mixed.Tower], paths: list[str]) -> None:
        self.towers, self.paths = towers, paths

    def upload(self, batch: Array | Tokens, tower: Tower) -> Array | Tokens:
        """It stays where it is."""
        return batch

    def forward(self, batch: Any, tower: Tower) -> Array:
        """All rows."""
        chosen = self.towers[tower]
        kept = {node.name for node in kept_nodes(chosen.graph.model.graph, self.paths)}
        return chosen.encode(batch, kept)

    def download(self, embedding: Any) -> Array:
        """It is there already."""
        return np.asarray(embedding)


class RoundingBackend(Backend):
    """The suite's export of one tower in fp16 arithmetic, for policies of base fp16."""

    name, precisions, devices, policies = "onnx-rounding", ("fp16",), ("cpu",), ("fp16",)

    def __init__(self, model: "Model", towers: Sequence[Tower]) -> None:
        folder, _ = onnx_files(model, "fp32")
        self.towers = {tower: mixed.Tower(folder / model.onnx_file(tower, "fp32")) for tower in towers}
        self.known = operations(model.module(), model.projections)

    def load(self, model: "Model", precision: str, device: str) -> Encoder:
        """Nothing kept."""
        return Rounding(self.towers, [])

    def load_policy(self, model: "Model", policy: "Policy", device: str, builds: Path | None = None) -> Encoder:
        """Some kept."""
        return Rounding(self.towers, resolve(policy.keep, self.known, policy.name))


def search(
    backend: RoundingBackend,
    model: "Model",
    tower: Tower,
    target: Target,
    tried: int,
    limit_s: float,
    say: Callable[[str], None],
) -> Mapping[str, Any]:
    """Operations of the smallest policy within the target, sets measured and seconds; or `failed`, with the reason."""
    started = time.perf_counter()

    def step(text: str) -> None:
        say(text)
        if time.perf_counter() - started > limit_s:
            raise OutOfTime(f"no answer within {limit_s:.0f} s")

    try:
        _, found = find_policy(backend, model, "fp16", "cpu", {tower: target}, "ours", step, seconds=0, tried=tried)
    except OutOfTime as error:
        return {"failed": str(error)}
    own = found["towers"][tower]
    if "kept" not in own:
        return {"failed": "not even every operation in fp32 is enough"}
    return {"kept": own["kept"], "sets": own["sets"], "seconds": time.perf_counter() - started}


def converted(model: "Model", tower: Tower, policy: "Policy | None") -> Path:
    """The file that our onnxruntime cells run: of fp16, or of a policy."""
    folder, _ = policy_files(model, policy) if policy else onnx_files(model, "fp16")
    return folder / model.onnx_file(tower, "fp16")
