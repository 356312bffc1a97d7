"""Sustained load: each fault breaks its own promise and no other, and a sound encoder none."""

import json
import re
from pathlib import Path

import pytest

from suites.selftest import forked
from suites.selftest.conftest import TINY, small_dataset

TRIES = 3  # on a busy machine other programs may interrupt both sides so often that a fault is not clear
BROKEN = {"tires-never": [], "tires-calls": ["L6"], "tires-pauses": ["L7"], "tires-shapes": ["L8"]}
SUITE = "suites/latency/test_sustained.py"


@pytest.mark.long  # three quarters of a minute; test_sustained_statistics.py finds the same faults on simulated processes
def test_each_fault_breaks_its_own_promise(tmp_path: Path) -> None:
    """Slower after 200 calls, slow behind a pause, compiling for each number of rows."""
    data, left, said = small_dataset(tmp_path / "data"), dict(BROKEN), ""
    for _ in range(TRIES):
        arguments = [
            "-p",
            "suites.selftest.planted.tired_backends",
            *TINY,
            SUITE,
            f"--backend={','.join(left)}",
            "-k",
            "text",
            "--device=cpu",
            "--latency-budget=0.7",
            "--benchmark-autosave",
            f"--benchmark-storage={tmp_path}/stored",
            f"--dataset={data}",
            f"--report={tmp_path}/report.json",
        ]
        done = forked.run(arguments, {})
        assert "Traceback" not in done.stdout + done.stderr, done.stdout[-3000:]
        rows = {row["backend"]: row for row in json.loads((tmp_path / "report.json").read_text())["cells"]}
        right = [name for name, row in rows.items() if row["broken_promises"] == BROKEN[name]]
        for name in right:
            del left[name]
        said += done.stdout
        if not left:
            break
    assert not left, said[-5000:]
    (after,) = {int(found) for found in re.findall(r"after (\d+) timed calls, which follow a warm-up", said)}
    assert 50 < after <= 250
    assert re.search(r"the first call of [235] rows takes \d", said), said[-5000:]
    assert re.search(r"after a pause of 0\.0[56] s a call takes \d", said), said[-5000:]
    assert f"again: pytest '{SUITE}::test_new_shapes" in said and "--benchmark-autosave" in said


def test_not_collected_unless_figures_are_stored(tmp_path: Path) -> None:
    """A plain run does not pay for it; one that names it is told what it lacks."""
    options, stores = ["--collect-only", "-q"], ["--benchmark-autosave", f"--benchmark-storage={tmp_path}"]
    plain = forked.run(["suites/latency", *options], {})
    assert plain.returncode == 0 and SUITE not in plain.stdout, plain.stdout[-1000:]
    assert f"{SUITE}::test_many_calls[" in forked.run(["suites/latency", *options, *stores], {}).stdout
    named = forked.run([SUITE], {})
    assert named.returncode == 4 and "add --benchmark-compare or --benchmark-autosave" in named.stdout + named.stderr
