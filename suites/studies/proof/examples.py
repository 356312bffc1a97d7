"""The properties of suites/selftest, tried on more examples than `make test` has time for, and counted."""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from fixtures import ROOT
from fixtures.storage.lines import Lines

TIMES = 3  # as many examples as in `make test`


def counts(seed: int) -> dict[str, Any]:
    """Examples by property, and the tests that failed."""
    with tempfile.TemporaryDirectory(prefix="clip-conformance-") as folder:
        file = Path(folder) / "counts.jsonl"
        tests = sorted(
            str(path.relative_to(ROOT)) for path in (ROOT / "suites" / "selftest" / "properties").glob("test_properties_*.py")
        )
        environment = {**os.environ, "PROPERTY_SEED": str(seed), "PROPERTY_TIMES": str(TIMES), "PROPERTY_COUNTS": str(file)}
        command = [sys.executable, "-m", "pytest", *tests, "--benchmark-disable", "-q"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        tried: Counter[str] = Counter()
        for line in Lines(file).read():
            tried[line["property"]] += line["examples"]
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return {"properties": dict(sorted(tried.items())), "seed": seed, "exit": done.returncode, "failed": failed}
