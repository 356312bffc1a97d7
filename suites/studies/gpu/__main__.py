"""`python -m suites.studies.gpu` (make gpu-record): everything about a GPU in one go, never stopping at a failure.

With `--device cpu --quick` it is a rehearsal, whose record stays in its folder.
"""

import json
import sys
import time
from pathlib import Path

from fixtures import ROOT
from fixtures.progress import say
from fixtures.storage.atomic import write_text
from plugins.command_line.program import Parser
from suites.studies import evidence
from suites.studies.few import few_scenes
from suites.studies.gpu import page, phases, tolerances

TARGET = ROOT / "golden" / "evidence" / "gpu.json"


def main(arguments: list[str] | None = None) -> int:
    """0 if every phase ended as it must, 1 if not."""
    parser = Parser(prog="python -m suites.studies.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, mps or cpu (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("gpu-record"), help="folder of all output (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=540.0, help="for all phases together (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="the default model at fp32 alone")
    parser.add_argument("--rehearsal", action="store_true", help="leave golden/evidence as it is, as --device cpu does")
    wanted = parser.parse_args(arguments)
    out = wanted.out.resolve()
    if out.exists():
        parser.error(f"{wanted.out} exists: expected a new folder, so that no record is overwritten")
    out.mkdir(parents=True)
    rows, ends = [], time.monotonic() + wanted.seconds
    golden = tolerances.copied(out / "derived")
    for phase in phases.plan(wanted.device, out, few_scenes(out / "few", phases.FEW_SCENES), golden, wanted.quick):
        rows.append(phases.run(phase, out, ends - time.monotonic()))
        say(f"{phase.name}: {rows[-1]['ended']}, {rows[-1].get('seconds', 0):.0f} s")
        found = {"schema": 1, "command": "make gpu-record", "device": wanted.device, **evidence.stamp(), "phases": rows}
        found["tolerances"] = tolerances.rows(golden, wanted.device.partition(":")[0])
        write_text(out / "record.json", json.dumps(found, indent=1, ensure_ascii=False))
        write_text(out / "record.md", page.text(found))
    kept = wanted.device != "cpu" and not wanted.rehearsal
    if kept:
        evidence.write(TARGET, found, page.text(found))
    say(f"the record: {wanted.out}/record.md" + (", golden/evidence/gpu.md" if kept else ""))
    return 0 if all(row["as_it_must"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
