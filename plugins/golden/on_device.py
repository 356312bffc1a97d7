"""`--update-golden --device cuda`: tolerances from the errors that torch eager makes on that device; the vectors stay."""

import hashlib
import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fixtures import truth
from fixtures.capability import Tower
from fixtures.errors import BadInput
from fixtures.machine.devices import DEVICES, present
from fixtures.progress import counted
from fixtures.storage.full_disk import writing
from fixtures.storage.replace import replacing
from fixtures.truth import REFERENCE
from plugins.command_line.options import to_be_written
from plugins.golden.derivation import measured_rows, tables
from plugins.golden.verified import TOLERANCES, Golden, folder, load_golden, manifest_in, tolerances_in
from plugins.measures.vectors.metrics import METRICS
from plugins.run import environment
from plugins.subjects import Subjects

MANIFEST = "manifest.json"
PRECISIONS = tuple(precision for precision in truth.PRECISIONS if precision not in truth.EMULATED)
HEADER = re.compile(rf"^\[[^.\]]+\.(?:image|text)\.({'|'.join(DEVICES)})[.\]]")


def update_on(subjects: Subjects, device: str, command: list[str]) -> list[str]:
    """Derive the device's tables, write them beside the others, and return lines about how they differ from the CPU's."""
    if device not in present():
        raise BadInput(f"--update-golden --device {device}: found no such device, expected one that torch eager can run on")
    if device == "mps":
        raise BadInput("--update-golden --device mps: mps has no float64 to measure errors against; the CPU's tolerances hold")
    where, model = folder(subjects), subjects.model
    to_be_written(where.parent)
    golden = load_golden(subjects)  # of the same weights and inputs, or it fails with a sentence
    inputs: dict[Tower, Any] = {"image": subjects.pixels(REFERENCE).rows(range(len(golden.image))), "text": subjects.tokens}
    exact: dict[Tower, np.ndarray] = {}
    for tower, batch in inputs.items():
        rows, _ = measured_rows(subjects, tower)
        found = truth.float64(model, batch[rows], tower, partial(counted, f"{tower} float64 on {device}"), device)
        if not np.isfinite(found).all():
            raise BadInput(f"model {model.id} gives NaN or Inf in float64 on {device}: check the device before it sets limits")
        exact[tower] = getattr(golden, tower).astype(np.float64)  # of the others the length alone counts, for the floor
        exact[tower][rows] = found
    derived = tables(subjects, inputs, exact, partial(counted, f"tolerances on {device}"), PRECISIONS, device)
    about = {"command": shlex.join(command), "date": environment.now(), "environment": environment.fingerprint()}
    text = f"{without(tolerances_in(where), device).rstrip()}\n{derived}\n"
    _write(where, text, device, about)
    updated = replace(golden, tolerances=tomllib.loads(text))
    return [f"{where}: tolerances of {device}, as limits divided by the CPU's:", *_beside(updated, device)]


def of_devices(text: str) -> dict[str, str]:
    """The tables of each device in the text of tolerances.toml, as text."""
    found: dict[str, str] = {}
    for block in _blocks(text):
        if header := HEADER.match(block):
            found[header[1]] = found.get(header[1], "") + block
    return found


def _blocks(text: str) -> Iterator[str]:
    """What stands before the first table, then each table with its header."""
    yield from re.split(r"^(?=\[)", text, flags=re.MULTILINE)


def without(text: str, device: str) -> str:
    """The text of tolerances.toml without the device's tables."""
    return "".join(block for block in _blocks(text) if not ((found := HEADER.match(block)) and found[1] == device))


def _write(where: Path, tolerances: str, device: str, about: dict[str, Any]) -> None:
    """The same golden data with other tolerances, in a new folder that then takes the old one's place."""
    manifest, content = manifest_in(where), tolerances.encode()
    manifest["files"][TOLERANCES] = hashlib.sha256(content).hexdigest()
    manifest["devices"] = {**manifest.get("devices", {}), device: about}
    with writing(f"golden data {where.name}", where.parent), replacing(where) as work:
        shutil.copytree(where, work, dirs_exist_ok=True)
        (work / TOLERANCES).write_bytes(content)
        (work / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")


def _beside(cpu: Golden, device: str) -> Iterator[str]:
    """A line for each precision and tower."""
    there = cpu.on(device)
    for precision in PRECISIONS:
        for tower in ("image", "text"):
            ratios = (there.limits(precision, tower, m, [""]) / cpu.limits(precision, tower, m, [""]) for m in METRICS)
            yield f"  {precision} {tower}: " + ", ".join(f"{m} {float(r[0]):.2f}" for m, r in zip(METRICS, ratios, strict=True))
