"""Clean starts: sound encoders of one processor, each asked by a kit of its precision.

A process for each processor, because libraries read when they are loaded which one they shall be:
`python -m suites.studies.canary.starts STARTS BACKENDS`.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.capability import TOWERS
from fixtures.cells import EncoderKey
from fixtures.machine.devices import processor
from fixtures.progress import say
from fixtures.registry import pick
from fixtures.truth import REFERENCE
from plugins.canary.check import check
from plugins.canary.kit import write
from plugins.cells.given_back import BuildFailed, CannotRun
from plugins.golden.verified import load_golden
from plugins.subjects import Subjects
from suites.studies.canary.service import functions
from suites.studies.processors.kinds import Kind, kinds, numpy_features
from suites.studies.processors.runs import conditions
from suites.studies.proof.clean import installed

LIMIT_S = 3600
SECONDS = 0.45  # of a check: half of the usual, for there are many
Row = dict[str, Any]


def processors(names: str = "") -> list[Kind]:
    """This one and those that it can play, or those of these names; raises BadInput for another name."""
    found = {kind.name: kind for kind in kinds(processor("flags"), numpy_features()) if kind.how != "emulated"}
    return [found[name] for name in pick("processor", names.split(",") if names else [], list(found))]


def on(kind: Kind, starts: int) -> list[Row]:
    """A row an encoder, and one for a process that did not end well."""
    backends = ",".join(name for name in dict.fromkeys(name for name, _ in installed()) if kind.covers(name))
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as folder:
        command = [sys.executable, "-m", "suites.studies.canary.starts", str(starts), backends]
        env = conditions(kind, Path(folder))
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    ended = [] if done.returncode == 0 else [{"encoder": "", "starts": 0, "declared": False, "alarms": [done.stderr[-300:]]}]
    return [{"processor": kind.name, **row} for row in rows + ended]


def rows(starts: int, backends: Sequence[str]) -> Iterator[Row]:
    """A row an encoder; those that this processor lacks are left out."""
    subjects = Subjects()
    golden = load_golden(subjects)
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as place:
        for backend, precision in installed():
            key, kit = EncoderKey(subjects.model_id, backend, precision, "cpu"), Path(place) / precision
            if backend not in backends:
                continue
            if not kit.exists():
                write(subjects, golden, precision, REFERENCE, kit)
            try:
                encoder = subjects.encoder(key).encoder
            except (CannotRun, BuildFailed) as reason:
                say(str(reason))
                continue
            verdicts = [check(*functions(subjects.model, encoder), kit, seconds=SECONDS) for _ in range(starts)]
            declared = any("E2" in key.known_failures(tower) for tower in TOWERS)
            said = [str(verdict) for verdict in verdicts if not verdict]
            yield {"encoder": f"{backend}-{precision}", "starts": starts, "declared": declared, "alarms": said}
    subjects.end()


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]), sys.argv[2].split(",")):
        print(json.dumps(row), flush=True)
